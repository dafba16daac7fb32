# The Rust toolchain and what librdkafka's vendored build needs. Sourced after common.sh, apt.sh and tools.sh.
# shellcheck shell=bash

# The workspace's rust-version.
RUST_MINIMUM=1.90

rust_is_new_enough() {
  local version
  version=$(cargo --version 2>/dev/null | sed -nE 's/^cargo ([0-9]+\.[0-9]+).*/\1/p')
  [[ -n $version && $(printf '%s\n' "$RUST_MINIMUM" "$version" | sort -V | head -n 1) == "$RUST_MINIMUM" ]]
}

# rustup's own installer, for this user alone; the shell's start-up files are left as they are.
install_rust() {
  local installer
  need_system_tool curl curl
  say "cargo $RUST_MINIMUM or newer is not on the PATH: installing Rust for this user with rustup, below $HOME/.cargo"
  if have rustup; then
    rustup toolchain install stable --profile minimal --component rustfmt --component clippy && rustup default stable
  else
    installer=$(mktemp)
    curl --proto '=https' --tlsv1.2 -fsSL -o "$installer" https://sh.rustup.rs &&
      sh "$installer" -y --quiet --no-modify-path --profile minimal --component rustfmt --component clippy
    rm -f "$installer"
  fi >&2
  hash -r
}

need_rust() {
  mkdir -p "$PACKAGES"
  PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  if ! have cc || ! have c++ || ! have make; then
    install_system_packages build-essential ||
      die "a C and C++ compiler and make are needed to build librdkafka and could not be installed with apt \
(that needs root or sudo; log: $PACKAGES/apt.log). Install them yourself and run this again."
  fi
  rust_is_new_enough && return
  install_rust
  rust_is_new_enough ||
    die "Rust $RUST_MINIMUM or newer is needed and could not be installed with rustup. Install it yourself (https://rustup.rs) and run this again."
}
