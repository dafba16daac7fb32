# The local secrets: made once, at the first `up`, and kept in the profile's state folder, readable by its owner only.
# They protect nothing but this machine's own servers. Sourced after common.sh.
# shellcheck shell=bash

SECRETS_FILE=$STATE/secrets.env

# Makes those that are not there yet: a newer checkout may have more than the one that made the file.
make_secrets() {
  local account
  mkdir -p "$STATE"
  (
    umask 077
    touch "$SECRETS_FILE"
    cp "$SECRETS_FILE" "$SECRETS_FILE.part"
    need_secret MYSQL_PASSWORD "$(openssl rand -hex 16)"
    for account in COMMAND_API QUERY_API PROJECTOR REBUILD; do
      need_secret "MYSQL_${account}_PASSWORD" "$(openssl rand -hex 16)"
    done
    need_secret JWT_HS256_SECRET "$(openssl rand -hex 32)"
    need_secret SEALING_KEYS "local-1:$(openssl rand -base64 32)"
    need_secret STREAM_TOKEN_KEYS "edge-1:$(openssl rand -hex 32)"
    need_secret VIEWER_CONTEXT_KEY "$(openssl rand -hex 32)"
    need_secret INGEST_SECRET "$(openssl rand -hex 32)"
    mv "$SECRETS_FILE.part" "$SECRETS_FILE"
  )
}

need_secret() { grep -q "^$1=" "$SECRETS_FILE.part" || printf '%s=%s\n' "$1" "$2" >>"$SECRETS_FILE.part"; }

secret() { sed -n "s/^$1=//p" "$SECRETS_FILE"; }

# mysql_user ACCOUNT: name:password of the MySQL user of a service (or of `projector rebuild`), as in its URL.
mysql_user() { printf 'marquee_%s:%s' "$1" "$(secret "MYSQL_${1^^}_PASSWORD")"; }

# mysql_url USER:PASSWORD
mysql_url() { printf 'mysql://%s@127.0.0.1:%s/marquee' "$1" "$MYSQL_PORT"; }

# What the services need to find the servers, as lines for `eval`. DATABASE_URL is the owner's: for migrations, for tests,
# for people. infra/local/services gives each service its own user.
print_env() {
  [[ -e $SECRETS_FILE ]] || die "there is nothing yet: run 'infra/local/stack up --profile $PROFILE' first"
  line() { printf "export %s='%s'\n" "$1" "$2"; }
  line DATABASE_URL "$(mysql_url "marquee:$(secret MYSQL_PASSWORD)")"
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
