# What every script of the local stack shares: messages, the profiles, and where things live.
# Sourced, never run. It starts nothing and installs nothing.
# shellcheck shell=bash
# The variables below are this file's product; the scripts that source it use them.
# shellcheck disable=SC2034

LOCAL_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
REPO_DIR=$(cd "$LOCAL_DIR/../.." && pwd)
STATE_ROOT=${MARQUEE_STATE_DIR:-$LOCAL_DIR/.state}
[[ $STATE_ROOT == /* ]] || STATE_ROOT=$PWD/$STATE_ROOT

# Software is fetched once and shared by all profiles; everything else is private to a profile.
PACKAGES=$STATE_ROOT/packages
TOOLS_BIN=$PACKAGES/bin
# Debian keeps servers in sbin, which an ordinary user's PATH lacks.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:$TOOLS_BIN

if [[ -t 2 ]]; then
  DIM=$'\e[2m' BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
  DIM='' BOLD='' RED='' GREEN='' PLAIN=''
fi

# Messages go to stderr: stdout belongs to what a command is asked to print.
say() { printf '%s\n' "${DIM}${*}${PLAIN}" >&2; }
warn() { printf '%s\n' "${RED}${*}${PLAIN}" >&2; }
STATUS_OF_DIE=70
die() {
  printf '%s\n' "${RED}error:${PLAIN} $*" >&2
  exit "$STATUS_OF_DIE"
}

# `set -e` ends a script without a word, and nobody should have to guess where. What died has already said why.
set -o errtrace
trap '(($? == STATUS_OF_DIE)) || warn "unexpected failure at ${BASH_SOURCE[0]}:$LINENO: ${BASH_COMMAND:0:120}"' ERR

have() { command -v "$1" >/dev/null 2>&1; }

# Sets the ports and folders of a profile. No two share a port, so they can run side by side.
use_profile() {
  PROFILE=$1
  # Kafka sends its clients to the address it advertises, past any proxy. Each LISTENS:ADVERTISED here is a listener that
  # sends them to another port: a test's proxy listens there, and can cut them off. See lib/kafka.sh.
  KAFKA_DETOURS=''
  case $PROFILE in
    demo)
      MYSQL_PORT=13306 KAFKA_PORT=19092 KAFKA_CONTROLLER_PORT=19093 REDIS_PORT=16379
      EDGE_PORT=18443 STATIC_PORT=18080 VERIFY_PORT=8081
      MYSQL_BUFFER_POOL=512M
      ;;
    test)
      MYSQL_PORT=23306 KAFKA_PORT=29092 KAFKA_CONTROLLER_PORT=29093 REDIS_PORT=26379
      EDGE_PORT=28443 STATIC_PORT=28080 VERIFY_PORT=28081
      MYSQL_BUFFER_POOL=256M
      KAFKA_DETOURS='29101:29111 29102:29112 29103:29113 29104:29114'
      ;;
    spare)
      MYSQL_PORT=24306 KAFKA_PORT=24092 KAFKA_CONTROLLER_PORT=24093 REDIS_PORT=24379
      EDGE_PORT=24443 STATIC_PORT=24080 VERIFY_PORT=24081
      MYSQL_BUFFER_POOL=256M
      ;;
    *) die "unknown profile '$PROFILE': it is demo, test or spare" ;;
  esac
  # Where nginx asks whether a stream token is good: the query API's port.
  VERIFY_PORT=${MARQUEE_EDGE_VERIFY_PORT:-$VERIFY_PORT}
  STATE=$STATE_ROOT/$PROFILE
  RUN_DIR=$STATE/run
  LOG_DIR=$STATE/log
  # A unix socket's path is limited to 107 bytes and a checkout may lie deep, so sockets live in a short folder
  # of our own, named after the state folder.
  SOCKET_DIR=${TMPDIR:-/tmp}/marquee-$(id -u)-$(printf '%s' "$STATE" | cksum | cut -d' ' -f1)
  [[ ${#SOCKET_DIR} -lt 80 ]] || SOCKET_DIR=/tmp/${SOCKET_DIR##*/}
  MYSQL_SOCKET=$SOCKET_DIR/mysql.sock
}

# Reads `--profile NAME` out of the arguments; what is left is in ARGS.
parse_profile() {
  local profile=demo
  ARGS=()
  while (($#)); do
    case $1 in
      --profile)
        [[ $# -ge 2 ]] || die '--profile needs a name: demo, test or spare'
        profile=$2
        shift
        ;;
      --profile=*) profile=${1#*=} ;;
      *) ARGS+=("$1") ;;
    esac
    shift
  done
  use_profile "$profile"
}

# Others must not be able to plant a folder under a predictable name in /tmp, so it must be ours.
make_socket_dir() {
  [[ -d $SOCKET_DIR ]] || mkdir -m 700 "$SOCKET_DIR"
  [[ -O $SOCKET_DIR && ! -L $SOCKET_DIR ]] || die "$SOCKET_DIR exists and belongs to somebody else; remove it or set TMPDIR"
}

# Runs a function under a lock, so that two `up` at once wait for each other instead of fighting. The lock is file
# descriptor 9, held until the script ends or takes another: what outlives the script must be started without it.
with_lock() {
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  exec 9>"$file"
  if ! flock -n 9; then
    say "waiting for another run that holds $file"
    flock -w 900 9 || die "another run has held $file for 15 minutes; see what it is doing"
  fi
  "$@"
}
