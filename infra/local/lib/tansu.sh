# tansu, a Kafka-compatible broker in Rust, for where Maven Central can't be reached. Sourced by stack.
#
# How far it was tried: tansu 0.6.0 builds in 13 minutes on 2 cores, and rdkafka 0.39 against it has topics, the
# idempotent producer and consumer groups. It has NO transactions: the relay then falls back to at-least-once and
# says so. The two functions below were written from its source and have not been run: the tests run on Apache Kafka.
# shellcheck shell=bash

TANSU=$PACKAGES/tansu/bin/tansu

tansu_is_chosen() { [[ -x $TANSU ]]; }

need_tansu() {
  warn "Apache Kafka could not be fetched with Maven (log: $PACKAGES/maven.log): building tansu instead, a quarter of an hour"
  # shellcheck source=infra/local/lib/rust.sh
  source "$LOCAL_DIR/lib/rust.sh"
  need_rust
  cargo install tansu --version 0.6.0 --locked --features dynostore,libsql --root "$PACKAGES/tansu" >"$PACKAGES/tansu.log" 2>&1 ||
    die "neither Apache Kafka (Maven Central; log: $PACKAGES/maven.log) nor tansu (cargo install; log: $PACKAGES/tansu.log) \
could be fetched. $OWN_WAY"
}

# It takes its database's path relative to its working directory.
start_tansu() {
  start_process kafka env --chdir="$STATE/kafka" "$TANSU" broker --cluster-id marquee \
    --listener-url "tcp://127.0.0.1:$KAFKA_PORT" --advertised-listener-url "tcp://127.0.0.1:$KAFKA_PORT" \
    --storage-engine libsql:///tansu.db
}
