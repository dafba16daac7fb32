# Debian and Ubuntu packages unpacked into private trees: no root, no maintainer script, no system service, and the
# system's package database is only read. Sourced after common.sh.
#
# Two kinds of tree:
#   distro    packages of this machine's own release; libraries that the system has are used from there.
#   unstable  packages of Debian's unstable suite with ALL they depend on, down to the C library, because nothing of
#             it fits the system's; its programs are started by the tree's own dynamic loader.
# Where to fetch from and which keys to trust is taken from this machine's apt configuration; signatures are verified.
# shellcheck shell=bash

APT_OPTIONS=()

# Points apt at state folders of our own. $1: folder; $2: dpkg status; $3: sources.list, or nothing for the system's.
apt_private() {
  local root=$1 status=$2 sources=${3:-}
  mkdir -p "$root"/state/lists/partial "$root"/cache/archives/partial
  APT_OPTIONS=(
    -o "Dir::State=$root/state" -o "Dir::State::status=$status" -o "Dir::Cache=$root/cache"
    # Descriptions, translations and icons are of no use here and most of the download.
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    # The folders are ours and so is the lock on them (with_lock); apt would lock the system's.
    -o Debug::NoLocking=true
  )
  [[ -z $sources ]] || APT_OPTIONS+=(-o "Dir::Etc::sourcelist=$sources" -o Dir::Etc::sourceparts=-)
  # As root, apt downloads as the user _apt, who need not be able to reach our folder.
  [[ $(id -u) != 0 ]] || APT_OPTIONS+=(-o APT::Sandbox::User=root)
}

apt_private_update() {
  apt-get "${APT_OPTIONS[@]}" -qq update >>"$PACKAGES/apt.log" 2>&1
}

# This release's packages. The lists are fetched once for this run of the script.
apt_use_distro() {
  have apt-get && have dpkg || return 1
  apt_private "$PACKAGES/apt-distro" /var/lib/dpkg/status
  [[ -z ${APT_DISTRO_FRESH:-} ]] || return 0
  apt_private_update || return 1
  APT_DISTRO_FRESH=1
}

# Debian's unstable suite, from the mirror that this machine's own Debian sources name, with the same keyring.
apt_use_unstable() {
  local root=$PACKAGES/apt-unstable target uri entry keyring
  apt_use_distro || return 1
  # shellcheck disable=SC2016 # apt's own variables, not the shell's
  target=$(apt-get "${APT_OPTIONS[@]}" indextargets --format '$(REPO_URI) $(SOURCESENTRY)' \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  read -r uri entry <<<"$target"
  [[ -n $uri ]] || return 1
  keyring=$(sed -nE 's/^Signed-By:[[:space:]]*(\/[^ ]+).*/\1/p; s/.*signed-by=([^] ,]+).*/\1/p' "${entry%:*}" | head -n 1)
  mkdir -p "$root"
  : >"$root/status"
  printf 'deb %s%s unstable main\n' "${keyring:+[signed-by=$keyring] }" "$uri" >"$root/sources.list"
  apt_private "$root" "$root/status" "$root/sources.list"
  apt_private_update
}

# apt_has PACKAGE: whether the sources in use offer it.
apt_has() { [[ -n $(apt-cache "${APT_OPTIONS[@]}" madison "$1" 2>/dev/null) ]]; }

# unpack_tree NAME PACKAGE...: downloads the packages and what they need, and unpacks them into packages/NAME.
# The tree appears under its name only when it is complete.
unpack_tree() {
  local name=$1 tree=$PACKAGES/$1 deb
  shift
  rm -rf "$tree" "$tree.part"
  mkdir -p "$tree.part" "$tree.debs/partial"
  apt-get "${APT_OPTIONS[@]}" -o "Dir::Cache::archives=$tree.debs" -qq -y --no-install-recommends --download-only \
    install "$@" >>"$PACKAGES/apt.log" 2>&1 || return 1
  for deb in "$tree.debs"/*.deb; do
    dpkg -x "$deb" "$tree.part" || return 1
  done
  rm -rf "$tree.debs"
  mv "$tree.part" "$tree"
}

# Every folder of a tree that holds shared libraries, as a search path; a tree may well have none.
tree_library_path() {
  find "$1" -name '*.so.*' -path '*/lib/*' -not -path '*/gconv/*' -not -path '*/perl/*' -printf '%h\n' | sort -u | paste -sd:
}

# expose_tool NAME FILE TREE [loader]: writes packages/bin/NAME, which runs FILE with the tree's libraries; with
# `loader`, by the tree's own dynamic loader. It ends in exec, so the pid is the program's own.
expose_tool() {
  local name=$1 file=$2 tree=$3 libraries loader=''
  libraries=$(tree_library_path "$tree")
  [[ ${4:-} != loader ]] || loader=$(find "$tree" -name 'ld-linux*.so.*' | head -n 1)
  mkdir -p "$TOOLS_BIN"
  {
    printf '#!/usr/bin/env bash\n'
    if [[ -n $loader ]]; then
      printf 'exec %q --library-path %q %q "$@"\n' "$loader" "$libraries" "$file"
    else
      printf 'exec env LD_LIBRARY_PATH=%q %q "$@"\n' "$libraries" "$file"
    fi
  } >"$TOOLS_BIN/$name.part"
  chmod 755 "$TOOLS_BIN/$name.part"
  mv "$TOOLS_BIN/$name.part" "$TOOLS_BIN/$name"
}
