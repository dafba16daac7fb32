# Starting, recognising and ending the servers. Sourced after common.sh.
# A server is known by its pid AND its start time AND the machine's boot, so a recycled pid is never mistaken for it
# and never killed.
# shellcheck shell=bash

# The start time of a process in clock ticks since boot; empty when there is no such process, or only a zombie.
process_start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The command name may hold spaces and brackets: what follows its last ')' is regular.
  read -ra stat <<<"${stat##*) }"
  [[ ${stat[0]} == Z ]] || printf '%s' "${stat[19]}"
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# The pid of a server we started and that still runs; fails when there is none.
running_pid() {
  local pid started boot
  { read -r pid started boot <"$RUN_DIR/$1.pid"; } 2>/dev/null || return 1
  [[ -n $pid && $boot == "$(boot_id)" && $started == "$(process_start_time "$pid")" ]] || return 1
  printf '%s' "$pid"
}

is_running() { running_pid "$1" >/dev/null; }

# start_process NAME COMMAND...: in the background, in a session of its own (Ctrl-C in a terminal must not reach it),
# without our lock's descriptor, its output appended to NAME.log.
start_process() {
  local name=$1 pid
  shift
  mkdir -p "$RUN_DIR" "$LOG_DIR"
  setsid "$@" </dev/null >>"$LOG_DIR/$name.log" 2>&1 9>&- &
  pid=$!
  disown "$pid"
  printf '%s %s %s\n' "$pid" "$(process_start_time "$pid")" "$(boot_id)" >"$RUN_DIR/$name.pid"
}

# ask_to_stop NAME: sends SIGTERM and returns at once, so that several servers can wind down together.
ask_to_stop() {
  local pid
  pid=$(running_pid "$1") || return 0
  kill -TERM "$pid" 2>/dev/null || true
}

# stop_process NAME SECONDS: SIGTERM, and after the deadline SIGKILL.
stop_process() {
  local name=$1 deadline=$((SECONDS + $2)) pid
  [[ -e $RUN_DIR/$name.pid ]] || return 0
  ask_to_stop "$name"
  while pid=$(running_pid "$name"); do
    if ((SECONDS >= deadline)); then
      warn "$name did not end within $2 s of SIGTERM: killing it"
      kill -KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + 5))
    fi
    sleep 0.1
  done
  rm -f "$RUN_DIR/$name.pid"
  say "$name stopped"
}

# wait_ready NAME SECONDS COMMAND...: until the command succeeds. A server that died, or a deadline, is an error
# that shows the end of its log.
wait_ready() {
  local name=$1 deadline=$((SECONDS + $2)) limit=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    is_running "$name" || die "$name ended while starting. The end of $LOG_DIR/$name.log:
$(tail -n 15 "$LOG_DIR/$name.log")"
    ((SECONDS < deadline)) || die "$name was not ready within $limit s. The end of $LOG_DIR/$name.log:
$(tail -n 15 "$LOG_DIR/$name.log")"
    sleep 0.1
  done
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Who listens on a port, as far as this user may see: "pid 123 (name)".
port_owner() {
  local inode fd
  inode=$(awk -v port="$(printf '%04X' "$1")" '$4 == "0A" && $2 ~ ":" port "$" { print $10; exit }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  for fd in /proc/[0-9]*/fd/*; do
    if [[ -n $inode && $(readlink "$fd" 2>/dev/null) == "socket:[$inode]" ]]; then
      fd=${fd#/proc/}
      printf 'pid %s (%s)' "${fd%%/*}" "$(cat "/proc/${fd%%/*}/comm" 2>/dev/null)"
      return
    fi
  done
  printf "another user's process"
}

# need_free_port NAME PORT: a port that somebody else uses is found before the server is started, whose own message
# would be far less clear. A server that was just killed may hold on to its port for a moment.
need_free_port() {
  local deadline=$((SECONDS + 3))
  while port_is_open "$2"; do
    ((SECONDS < deadline)) || die "port $2, which $1 needs (profile $PROFILE), is taken by $(port_owner "$2"). \
Stop that process and run 'up' again; nothing of it was touched."
    sleep 0.1
  done
}
