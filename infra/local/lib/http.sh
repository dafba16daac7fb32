# One HTTP request at a time, shown as it is sent and answered, and checked. Sourced by demo, after common.sh.
# The last answer is in STATUS, BODY and the file HEADERS.
# shellcheck shell=bash
# shellcheck disable=SC2034

HTTP_DIR=$(mktemp -d)
trap 'rm -rf "$HTTP_DIR"' EXIT
HEADERS=$HTTP_DIR/headers
STATUS='' BODY=''

color=-M
[[ ! -t 1 ]] || color=-C
DIM_OUT='' BOLD_OUT='' GREEN_OUT='' PLAIN_OUT=''
[[ ! -t 1 ]] || DIM_OUT=$'\e[2m' BOLD_OUT=$'\e[1m' GREEN_OUT=$'\e[32m' PLAIN_OUT=$'\e[0m'

step_number=0
step() {
  step_number=$((step_number + 1))
  printf '\n%s%d. %s%s\n' "$BOLD_OUT" "$step_number" "$*" "$PLAIN_OUT"
}

# Indented, JSON laid out, the rest as it is.
show() {
  if [[ ${1:-} == [\{\[]* ]]; then
    jq "$color" . <<<"$1" 2>/dev/null || printf '%s\n' "$1"
  else
    printf '%s\n' "$1"
  fi | sed 's/^/     /'
}

# request METHOD URL [curl arguments]: shows and sends it. The bearer's token is long and the same every time.
request() {
  local method=$1 url=$2 seconds argument previous=''
  shift 2
  printf '   %s%s%s %s\n' "$BOLD_OUT" "$method" "$PLAIN_OUT" "$url"
  for argument in "$@"; do
    case $previous in
      -H) show "$(sed -E 's/(Bearer .{12}).*/\1.../' <<<"$argument")" ;;
      -d) show "$argument" ;;
    esac
    previous=$argument
  done
  seconds=$(curl -sS --max-time 15 --cacert "$MARQUEE_PROBE_CA_FILE" -D "$HEADERS" -o "$HTTP_DIR/body" \
    -w '%{http_code} %{time_total}' -X "$method" "$@" "$url") || die "no answer from $url"
  STATUS=${seconds%% *}
  seconds=${seconds#* }
  BODY=$(tr -d '\0' <"$HTTP_DIR/body")
  printf '   %s%s%s in %s ms%s\n' "$GREEN_OUT" "$STATUS" "$PLAIN_OUT" \
    "$(awk -v s="$seconds" 'BEGIN { printf "%.1f", s * 1000 }')" "$(size_if_binary)"
  [[ -n $(size_if_binary) ]] || show "$BODY"
}

size_if_binary() {
  ! grep -qi '^content-type: video/' "$HEADERS" || printf ', %s bytes of video' "$(stat -c %s "$HTTP_DIR/body")"
}

# expect STATUS...: any of these, or the end.
expect() {
  [[ " $* " == *" $STATUS "* ]] || die "expected status $* and got $STATUS"
}

header_of() { tr -d '\r' <"$HEADERS" | sed -nE "s/^$1: *//Ip" | tail -n 1; }

# field JQ_PATH: a value of the last answer that must be there.
field() { jq -er "$1" <<<"$BODY" || die "the answer has no $1"; }

new_uuid() { cat /proc/sys/kernel/random/uuid; }

# poll SECONDS WHAT COMMAND...: until it succeeds.
poll() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || die "$what did not happen in time"
    sleep 0.1
  done
}
