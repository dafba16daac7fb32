# MySQL: finds or fetches it, prepares the data folder, starts it. Sourced after common.sh, process.sh and tools.sh.
# In this order: mysqld on the PATH, the distribution's mysql-server-core, Debian unstable's, MariaDB.
# shellcheck shell=bash

# Where an unpacked tree keeps MySQL's messages and character sets; empty for a server of the system's own.
mysql_tree() {
  local tree
  for tree in mysql mysql-unstable mariadb; do
    [[ ! -x $PACKAGES/$tree/usr/sbin/mysqld && ! -x $PACKAGES/$tree/usr/sbin/mariadbd ]] || printf '%s' "$PACKAGES/$tree"
  done
}

# MARQUEE_SQL_SERVER=mariadb goes straight to MariaDB, to test with it; give it a MARQUEE_STATE_DIR of its own.
need_mysql() {
  have mysqld && have mysql && return
  if [[ ${MARQUEE_SQL_SERVER:-} != mariadb ]]; then
    say "fetching MySQL into $PACKAGES (about 70 MB)"
    ! fetch_mysql || return 0
  fi
  say "taking MariaDB"
  if apt_use_distro && unpack_tree mariadb mariadb-server mariadb-client; then
    expose_mysql mariadb usr/sbin/mariadbd usr/bin/mariadb
    return
  fi
  die "'mysqld' is not on the PATH, and neither MySQL nor MariaDB could be fetched with apt (log: $PACKAGES/apt.log). $OWN_WAY"
}

fetch_mysql() {
  local server
  if apt_use_distro; then
    # Ubuntu names it with its version: mysql-server-core-8.0.
    server=$(apt-cache "${APT_OPTIONS[@]}" pkgnames mysql-server-core | sort -V | tail -n 1)
    if [[ -n $server ]] && apt_has "$server" && unpack_tree mysql "$server" "${server/server/client}"; then
      expose_mysql mysql usr/sbin/mysqld usr/bin/mysql
      return
    fi
    say "this release has no MySQL server: trying Debian's unstable suite, unpacked privately"
    if apt_use_unstable && unpack_tree mysql-unstable mysql-server-core mysql-client-core; then
      expose_mysql mysql-unstable usr/sbin/mysqld usr/bin/mysql loader
      return
    fi
    say "there is no MySQL to be had there"
  fi
  return 1
}

expose_mysql() {
  local tree=$PACKAGES/$1
  expose_tool mysqld "$tree/$2" "$tree" "${4:-}"
  expose_tool mysql "$tree/$3" "$tree" "${4:-}"
  hash -r
}

mysql_is_mariadb() { mysqld --no-defaults --version 2>/dev/null | grep -qi mariadb; }

# Full durability: what is measured and tested here must hold after a power cut.
mysql_write_config() {
  local tree
  tree=$(mysql_tree)
  cat >"$STATE/mysql/my.cnf" <<CNF
[mysqld]
bind-address = 127.0.0.1
port = $MYSQL_PORT
socket = $MYSQL_SOCKET
datadir = $STATE/mysql/data
pid-file = $STATE/mysql/mysqld.pid
loose-mysqlx = OFF
skip-name-resolve
secure-file-priv =
character-set-server = utf8mb4
default-time-zone = +00:00
max-connections = 500
innodb-buffer-pool-size = $MYSQL_BUFFER_POOL
innodb-flush-log-at-trx-commit = 1
# MySQL has a binary log by default; MariaDB must be told.
log-bin = binlog
server-id = 1
sync-binlog = 1
CNF
  [[ $(id -u) != 0 ]] || printf 'user = root\n' >>"$STATE/mysql/my.cnf"
  [[ -z $tree ]] || cat >>"$STATE/mysql/my.cnf" <<CNF
basedir = $tree/usr
lc-messages-dir = $tree/usr/share/mysql
character-sets-dir = $tree/usr/share/mysql/charsets
CNF
}

# The user that owns the databases: it migrates them and makes the services' users (`projector migrate`), and the tests
# create databases named marquee_t_... with it, hence the pattern. It says what must be, not what to do once: every `up`
# runs it. root has no password and can log in over the socket only.
mysql_write_owner() {
  local password host
  password=$(secret MYSQL_PASSWORD)
  (
    umask 077
    {
      printf 'CREATE DATABASE IF NOT EXISTS marquee;\n'
      # MariaDB makes these.
      printf "DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1';\n"
      for host in 127.0.0.1 localhost; do
        printf "CREATE USER IF NOT EXISTS 'marquee'@'%s' IDENTIFIED BY '%s';\n" "$host" "$password"
        printf "GRANT ALL PRIVILEGES ON \`marquee%%\`.* TO 'marquee'@'%s' WITH GRANT OPTION;\n" "$host"
        printf "GRANT CREATE USER ON *.* TO 'marquee'@'%s';\n" "$host"
      done
    } >"$STATE/mysql/owner.sql"
    printf '[client]\nuser=marquee\npassword=%s\nsocket=%s\n' "$password" "$MYSQL_SOCKET" >"$STATE/mysql/client.cnf"
  )
}

# MariaDB does this by a script, which runs programs of its own and so needs the tree's libraries itself.
mariadb_initialise() {
  local data=$1 tree options
  options=(--no-defaults --datadir="$data" --user="$(id -un)" --auth-root-authentication-method=normal --skip-test-db)
  tree=$(mysql_tree)
  if [[ -n $tree ]]; then
    LD_LIBRARY_PATH=$(tree_library_path "$tree") "$tree/usr/bin/mariadb-install-db" --basedir="$tree/usr" "${options[@]}"
  else
    mariadb-install-db "${options[@]}"
  fi
}

# The data folder gets its name only when it is complete: an interrupted first start begins anew.
mysql_initialise() {
  local data=$STATE/mysql/data
  [[ ! -d $data ]] || return 0
  say "preparing MySQL's data folder"
  rm -rf "$data.part"
  if mysql_is_mariadb; then
    mariadb_initialise "$data.part" >>"$LOG_DIR/mysql.log" 2>&1
  else
    sed -e "s|^datadir = .*|datadir = $data.part|" "$STATE/mysql/my.cnf" >"$STATE/mysql/initialise.cnf"
    mysqld --defaults-file="$STATE/mysql/initialise.cnf" --initialize-insecure >>"$LOG_DIR/mysql.log" 2>&1
  fi || die "MySQL's data folder could not be prepared. The end of $LOG_DIR/mysql.log:
$(tail -n 15 "$LOG_DIR/mysql.log")"
  mv "$data.part" "$data"
}

start_mysql() {
  ! is_running mysql || return 0
  need_free_port MySQL "$MYSQL_PORT"
  mkdir -p "$STATE/mysql" "$LOG_DIR"
  make_socket_dir
  # A killed server leaves these behind, and the next one believes in any process that has the number written in them.
  rm -f "$MYSQL_SOCKET" "$MYSQL_SOCKET.lock"
  mysql_write_config
  mysql_initialise
  start_process mysql mysqld --defaults-file="$STATE/mysql/my.cnf"
}

# Ready means: the owner is what it must be, and can log in over TCP and use the database.
mysql_answers() {
  mysql --no-defaults --socket="$MYSQL_SOCKET" -u root <"$STATE/mysql/owner.sql" &&
    MYSQL_PWD=$(secret MYSQL_PASSWORD) mysql --no-defaults -h 127.0.0.1 -P "$MYSQL_PORT" -u marquee -e 'SELECT 1' marquee
}

wait_mysql() {
  mysql_write_owner
  wait_ready mysql 90 mysql_answers
}
