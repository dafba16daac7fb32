# What must be on the machine, and how each missing piece gets there. Sourced after common.sh and apt.sh.
#
# Servers and small tools are unpacked privately (apt.sh): no system service is ever installed or started, and no root
# is needed. Only a Java runtime and Maven come as system packages, because their certificate store is made by their
# maintainer scripts; they bring no service.
# shellcheck shell=bash

OWN_WAY="Other ways: install it yourself so that it is on the PATH, use infra/compose.yaml with a Docker engine, or \
point DATABASE_URL, KAFKA_BROKERS and REDIS_URL at servers of your own."

# Runs apt-get as root, by sudo when need be. A maintainer script that wants to start a service is told no.
apt_as_root() {
  local sudo=()
  if [[ $(id -u) != 0 ]]; then
    have sudo || return 1
    sudo=(sudo)
  fi
  # RUNLEVEL=1 makes invoke-rc.d refuse to start anything, without touching the machine's own policy.
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -y "$@" >>"$PACKAGES/apt.log" 2>&1
}

# install_system_packages PACKAGE...: apt-get update only when the lists at hand are not enough.
install_system_packages() {
  have apt-get || return 1
  say "installing $* (apt; log: $PACKAGES/apt.log)"
  apt_as_root install --no-install-recommends "$@" && return
  apt_as_root update && apt_as_root install --no-install-recommends "$@"
}

# need_private_tool COMMAND PACKAGE [FILE]: the command on the PATH, else this release's package, unpacked privately.
need_private_tool() {
  local command=$1 package=$2 file=${3:-usr/bin/$1}
  have "$command" && return
  say "fetching $package into $PACKAGES"
  if ! apt_use_distro || ! unpack_tree "$package" "$package"; then
    die "'$command' is not on the PATH, and the package '$package' could not be fetched with apt (log: $PACKAGES/apt.log). $OWN_WAY"
  fi
  expose_tool "$command" "$PACKAGES/$package/$file" "$PACKAGES/$package"
  hash -r
}

# need_system_tool COMMAND PACKAGE: the command on the PATH, else the system package.
need_system_tool() {
  have "$1" && return
  install_system_packages "$2" && hash -r && have "$1" && return
  die "'$1' is not on the PATH, and the package '$2' could not be installed with apt (that needs root or sudo; log: \
$PACKAGES/apt.log). $OWN_WAY"
}

# Kafka 4 needs Java 17 or newer.
java_is_new_enough() {
  local version
  version=$(java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p' | head -n 1)
  [[ -n $version && $version -ge 17 ]]
}

need_java() {
  have java && java_is_new_enough && return
  install_system_packages openjdk-17-jre-headless || install_system_packages default-jre-headless || true
  hash -r
  if ! have java || ! java_is_new_enough; then
    die "Apache Kafka needs Java 17 or newer, and no such package could be installed with apt (that needs root or sudo; \
log: $PACKAGES/apt.log). $OWN_WAY"
  fi
}

need_tools() {
  mkdir -p "$PACKAGES"
  need_system_tool openssl openssl
  need_system_tool curl curl
  need_private_tool jq jq
  need_private_tool kcat kcat
  need_private_tool redis-server redis-server
  need_private_tool redis-cli redis-tools
  need_private_tool nginx nginx usr/sbin/nginx
}
