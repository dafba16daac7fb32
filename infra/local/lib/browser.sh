# The browser that the player's test runs in, and hls.js for the player's page. Sourced after common.sh, apt.sh and tools.sh.
# shellcheck shell=bash

HLS_VERSION=1.7.4
HLS_SHA512=dc697119d3ef4f6607bd060eb7ec8ecd3fc3122a2bfea255348ca51c0efb9207a805375042a8bbd06c1e7cd11498741e346ca30bc53adbe6ebbaa5bf4e99beb6
HLS_DIR=$PACKAGES/hls.js

# Its package from the npm registry, of which one file is used: 8 MB, 0.6 of them kept.
need_hls() {
  [[ -e $HLS_DIR/$HLS_VERSION ]] && return
  mkdir -p "$PACKAGES"
  need_system_tool npm npm
  say "fetching hls.js $HLS_VERSION into $HLS_DIR (npm; log: $PACKAGES/npm.log)"
  rm -rf "$HLS_DIR" "$HLS_DIR.part"
  mkdir -p "$HLS_DIR.part"
  (cd "$HLS_DIR.part" && npm pack --silent "hls.js@$HLS_VERSION") >>"$PACKAGES/npm.log" 2>&1 ||
    die "hls.js $HLS_VERSION could not be fetched from the npm registry (log: $PACKAGES/npm.log)"
  sha512sum --check --status <<<"$HLS_SHA512  $HLS_DIR.part/hls.js-$HLS_VERSION.tgz" ||
    die "what the npm registry gave as hls.js $HLS_VERSION has another checksum than the one in ${BASH_SOURCE[0]}: it is not used"
  tar -xzf "$HLS_DIR.part/hls.js-$HLS_VERSION.tgz" -C "$HLS_DIR.part" --strip-components 2 package/dist/hls.min.mjs
  rm "$HLS_DIR.part/hls.js-$HLS_VERSION.tgz"
  : >"$HLS_DIR.part/$HLS_VERSION"
  mv "$HLS_DIR.part" "$HLS_DIR"
}

# As a system package: it wants its libraries, fonts and wrapper where they belong. 131 MB to fetch, 433 MB on disk, half a minute; no
# service.
need_chromium() {
  mkdir -p "$PACKAGES"
  need_system_tool chromium chromium
  need_system_tool chromedriver chromium-driver
}
