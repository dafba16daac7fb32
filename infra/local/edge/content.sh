# What the edge serves, made from the committed sample (../media) by copying and writing playlists. Sourced by edge.
#
#   /media/sample/     the sample: one minute, two variants, plays
#   /media/feature/    two hours: the same segments again and again, plays
#   /media/encrypted/  AES-128 with its key beside it, plays
#   /media/drm/        says it is protected by Widevine and FairPlay; for probes, does not play
#   /media/live/       no end yet
#   /media/broken/     an HTML page where a playlist should be
#   /captions/         WebVTT and TTML, and a broken one of each
#   /static/           whatever a benchmark puts there
# shellcheck shell=bash

# make_content DIR: makes everything anew when a source is newer than what is there.
make_content() {
  local www=$1 media=$LOCAL_DIR/media edge=$LOCAL_DIR/edge
  [[ ! -e $www/.made || -n $(find "$media" "$edge" -newer "$www/.made" -print -quit) ]] || return 0
  mkdir -p "$www/static"
  rm -rf "${www:?}/media" "$www/captions"
  mkdir "$www/media"
  cp -r "$media/sample" "$www/media/sample"
  cp -r "$edge/captions" "$www/captions"
  make_feature "$www/media/sample" "$www/media/feature"
  make_encrypted "$www/media/sample" "$www/media/encrypted"
  make_drm "$www/media/sample" "$www/media/drm"
  make_live "$www/media/sample" "$www/media/live"
  mkdir "$www/media/broken"
  printf '<!doctype html><title>Not found</title>\n' >"$www/media/broken/master.m3u8"
  : >"$www/.made"
}

# The media playlist's part that says what plays: from the first segment to before the end.
segments() { sed -n '/^#EXTINF/,${/^#EXT-X-ENDLIST/d;p}' "$1"; }
header() { sed '/^#EXTINF/,$d' "$1"; }

# A master playlist with the 180p variant alone.
single_master() { sed '/640x360/,+1d' "$1/master.m3u8"; }

# 120 minutes out of one: the time stamps jump back at each repetition, which HLS calls a discontinuity. The segments
# are copied, for a token is scoped to one directory.
make_feature() {
  local sample=$1 out=$2 variant minute
  cp -r "$sample" "$out"
  for variant in 180p 360p; do
    {
      header "$sample/$variant/index.m3u8"
      for ((minute = 0; minute < 120; minute++)); do
        ((minute == 0)) || printf '#EXT-X-DISCONTINUITY\n'
        segments "$sample/$variant/index.m3u8"
      done
      printf '#EXT-X-ENDLIST\n'
    } >"$out/$variant/index.m3u8"
  done
}

# Without an explicit IV it is the segment's media sequence number (RFC 8216, section 5.2).
make_encrypted() {
  local sample=$1 out=$2 key number=0 segment
  mkdir -p "$out/180p"
  single_master "$sample" >"$out/master.m3u8"
  openssl rand 16 >"$out/180p/key.bin"
  key=$(od -An -v -tx1 "$out/180p/key.bin" | tr -d ' \n')
  for segment in "$sample"/180p/*.ts; do
    openssl enc -aes-128-cbc -K "$key" -iv "$(printf '%032x' "$number")" -in "$segment" -out "$out/180p/${segment##*/}"
    number=$((number + 1))
  done
  {
    header "$sample/180p/index.m3u8"
    printf '#EXT-X-KEY:METHOD=AES-128,URI="key.bin"\n'
    segments "$sample/180p/index.m3u8"
    printf '#EXT-X-ENDLIST\n'
  } >"$out/180p/index.m3u8"
}

make_drm() {
  local sample=$1 out=$2
  mkdir -p "$out/180p"
  single_master "$sample" >"$out/master.m3u8"
  cp "$sample"/180p/*.ts "$out/180p"
  {
    header "$sample/180p/index.m3u8" | sed 's/^#EXT-X-VERSION:3/#EXT-X-VERSION:6/'
    printf '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://marquee-local",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1"\n'
    printf '#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,AAAAAA==",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",KEYFORMATVERSIONS="1"\n'
    segments "$sample/180p/index.m3u8"
    printf '#EXT-X-ENDLIST\n'
  } >"$out/180p/index.m3u8"
}

make_live() {
  local sample=$1 out=$2
  mkdir -p "$out/180p"
  single_master "$sample" >"$out/master.m3u8"
  cp "$sample"/180p/*.ts "$out/180p"
  sed '/^#EXT-X-ENDLIST/d; /^#EXT-X-PLAYLIST-TYPE/d' "$sample/180p/index.m3u8" >"$out/180p/index.m3u8"
}
