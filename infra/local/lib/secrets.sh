# The local secrets: made once, at the first `up`, and kept in the profile's state folder, readable by its owner only.
# They protect nothing but this machine's own servers. Sourced after common.sh.
# shellcheck shell=bash

SECRETS_FILE=$STATE/secrets.env

make_secrets() {
  [[ ! -e $SECRETS_FILE ]] || return 0
  mkdir -p "$STATE"
  (
    umask 077
    {
      printf 'MYSQL_PASSWORD=%s\n' "$(openssl rand -hex 16)"
      printf 'JWT_HS256_SECRET=%s\n' "$(openssl rand -hex 32)"
      printf 'SEALING_KEYS=local-1:%s\n' "$(openssl rand -base64 32)"
      printf 'STREAM_TOKEN_KEYS=edge-1:%s\n' "$(openssl rand -hex 32)"
      printf 'VIEWER_CONTEXT_KEY=%s\n' "$(openssl rand -hex 32)"
      printf 'INGEST_SECRET=%s\n' "$(openssl rand -hex 32)"
    } >"$SECRETS_FILE.part"
  )
  mv "$SECRETS_FILE.part" "$SECRETS_FILE"
}

secret() { sed -n "s/^$1=//p" "$SECRETS_FILE"; }

# What the services need to find the servers, as lines for `eval`.
print_env() {
  [[ -e $SECRETS_FILE ]] || die "there is nothing yet: run 'infra/local/stack up --profile $PROFILE' first"
  line() { printf "export %s='%s'\n" "$1" "$2"; }
  line DATABASE_URL "mysql://marquee:$(secret MYSQL_PASSWORD)@127.0.0.1:$MYSQL_PORT/marquee"
  line KAFKA_BROKERS "127.0.0.1:$KAFKA_PORT"
  [[ -z $KAFKA_DETOURS ]] || line MARQUEE_TEST_KAFKA_DETOURS "$KAFKA_DETOURS"
  line REDIS_URL "redis://127.0.0.1:$REDIS_PORT/0"
  line MARQUEE_EDGE_URL "https://127.0.0.1:$EDGE_PORT"
  line MARQUEE_STATIC_URL "http://127.0.0.1:$STATIC_PORT"
  line MARQUEE_PROBE_ALLOW "127.0.0.0/8:$EDGE_PORT,[::1]/128:$EDGE_PORT"
  line MARQUEE_PROBE_CA_FILE "$STATE/edge/tls/ca.pem"
  line MARQUEE_PROBE_HEADER "X-Marquee-Ingest: $(secret INGEST_SECRET)"
  line MARQUEE_JWT_HS256_SECRET "$(secret JWT_HS256_SECRET)"
  line MARQUEE_SEALING_KEYS "$(secret SEALING_KEYS)"
  line MARQUEE_STREAM_TOKEN_KEYS "$(secret STREAM_TOKEN_KEYS)"
  line MARQUEE_VIEWER_CONTEXT_KEY "$(secret VIEWER_CONTEXT_KEY)"
  line MARQUEE_TOOLS_BIN "$TOOLS_BIN"
}
