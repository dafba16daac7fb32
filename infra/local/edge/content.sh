# What the edge serves, made from the committed sample (../media) by copying and writing playlists. Sourced by edge.
#
#   /media/sample/     the sample: one minute, two variants, captions, plays
#   /media/feature/    two hours: the same segments again and again, plays
#   /media/films/NAME/ one for each film of the sample catalog (../catalog.ndjson), as long as the film
#   /media/runtime/MINUTES/  for a film of each running time of 1 to 240 minutes, plays
#   /media/encrypted/  AES-128 with its key beside it, plays
#   /media/drm/        says it is protected by Widevine and FairPlay; for probes, does not play
#   /media/live/       no end yet
#   /media/broken/     an HTML page where a playlist should be
#   /captions/         WebVTT and TTML, and a broken one of each
#   /player/           infra/player and, once it is fetched (../lib/browser.sh), hls.js
#   /static/           poster.svg, and whatever a benchmark puts there
# shellcheck shell=bash

# make_content DIR: makes everything anew when a source is newer than what is there, beside the old, which is then
# replaced in one move: a probe or a player hardly notices.
make_content() {
  local www=$1 new=$1/.new source=$LOCAL_DIR/edge
  make_player "$www/player"
  [[ ! -e $www/.made || -n $(find "$LOCAL_DIR/media" "$source" "$LOCAL_DIR/catalog.ndjson" -newer "$www/.made" -print -quit) ]] ||
    return 0
  rm -rf "$new"
  mkdir -p "$www/static" "$new/media"
  make_media "$new/media"
  rm -rf "$www/captions" "${www:?}/media"
  mv "$new/media" "$www/media"
  cp -r "$source/captions" "$www/captions"
  cp "$source/poster.svg" "$www/static"
  rm -r "$new"
  : >"$www/.made"
}

make_player() {
  local out=$1
  mkdir -p "$out"
  cp -u "$REPO_DIR"/infra/player/*.{html,css,js} "$out"
  [[ ! -e $PACKAGES/hls.js/hls.min.mjs ]] || cp -u "$PACKAGES/hls.js/hls.min.mjs" "$out"
}

make_media() {
  local out=$1 sample=$1/sample
  cp -r "$LOCAL_DIR/media/sample" "$sample"
  make_film "$sample" "$out/feature" 120
  make_films "$sample" "$out/films"
  make_runtimes "$sample" "$out/runtime"
  make_encrypted "$sample" "$out/encrypted"
  make_drm "$sample" "$out/drm"
  make_live "$sample" "$out/live"
  mkdir "$out/broken"
  printf '<!doctype html><title>Not found</title>\n' >"$out/broken/master.m3u8"
}

# The media playlist's part that says what plays: from the first segment to before the end.
segments() { sed -n '/^#EXTINF/,${/^#EXT-X-ENDLIST/d;p}' "$1"; }
header() { sed '/^#EXTINF/,$d' "$1"; }

# A master playlist with the 180p variant alone, and no captions.
single_master() { sed -e '/640x360/,+1d' -e '/^#EXT-X-MEDIA:/d' -e 's/,SUBTITLES="[^"]*"//' "$1/master.m3u8"; }

# make_film SAMPLE OUT MINUTES: many minutes out of one. The time stamps jump back at each repetition, which HLS calls a
# discontinuity. The segments appear in each film's own directory, for a token is scoped to one; as links, they cost
# nothing.
make_film() {
  local sample=$1 out=$2 minutes=$3 rendition minute once
  mkdir -p "$out"
  cp "$sample/master.m3u8" "$out"
  for rendition in 180p 360p captions; do
    mkdir "$out/$rendition"
    ln "$sample/$rendition"/[0-9]* "$out/$rendition"
    once=$(segments "$sample/$rendition/index.m3u8")
    {
      header "$sample/$rendition/index.m3u8"
      printf '%s\n' "$once"
      for ((minute = 1; minute < minutes; minute++)); do
        printf '#EXT-X-DISCONTINUITY\n%s\n' "$once"
      done
      printf '#EXT-X-ENDLIST\n'
    } >"$out/$rendition/index.m3u8"
  done
}

make_films() {
  local sample=$1 out=$2 name minutes
  while read -r name minutes; do
    make_film "$sample" "$out/$name" "$minutes"
  done < <(jq -r '"\(.media) \(.duration_minutes)"' "$LOCAL_DIR/catalog.ndjson")
}

# For catalogs from elsewhere: a film of each running time. The segments are the sample's, by a link to it in the film's
# own directory. As each playlist is the one before and a minute more, all are made in one go.
make_runtimes() {
  local sample=$1 out=$2 longest=240 minutes rendition master once body
  master=$(<"$sample/master.m3u8")
  mkdir "$out"
  (cd "$out" && seq "$longest" | sed 's|.*|&/180p &/360p &/captions|' | xargs mkdir -p)
  for ((minutes = 1; minutes <= longest; minutes++)); do
    printf '%s\n' "$master" >"$out/$minutes/master.m3u8"
    ln -s ../../sample "$out/$minutes/sample"
  done
  for rendition in 180p 360p captions; do
    once=$(segments "$sample/$rendition/index.m3u8" | sed "/^#/!s|^|../sample/$rendition/|")
    body=$(header "$sample/$rendition/index.m3u8")$'\n'$once
    for ((minutes = 1; minutes <= longest; minutes++)); do
      printf '%s\n#EXT-X-ENDLIST\n' "$body" >"$out/$minutes/$rendition/index.m3u8"
      body+=$'\n#EXT-X-DISCONTINUITY\n'$once
    done
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
  ln "$sample"/180p/*.ts "$out/180p"
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
  ln "$sample"/180p/*.ts "$out/180p"
  sed '/^#EXT-X-ENDLIST/d; /^#EXT-X-PLAYLIST-TYPE/d' "$sample/180p/index.m3u8" >"$out/180p/index.m3u8"
}
