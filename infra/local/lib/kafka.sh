# Apache Kafka: one node that is broker and controller (KRaft). Sourced after common.sh, process.sh and tools.sh.
# The broker's jars come from Maven Central; where that can't be reached, tansu.sh has another broker.
# shellcheck shell=bash

KAFKA_JARS=$PACKAGES/kafka

# The folder remembers which pom.xml it was made from, so that a new Kafka version is fetched and not overlooked.
kafka_jars_are_current() { cmp -s "$LOCAL_DIR/kafka/pom.xml" "$KAFKA_JARS/pom.xml"; }

kafka_fetch_jars() {
  local part=$KAFKA_JARS.part
  say "fetching Apache Kafka into $KAFKA_JARS (about 150 MB; log: $PACKAGES/maven.log)"
  rm -rf "$part"
  mvn -B -q -f "$LOCAL_DIR/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$part" >"$PACKAGES/maven.log" 2>&1 || return 1
  rm -rf "$KAFKA_JARS"
  cp "$LOCAL_DIR/kafka/pom.xml" "$part/pom.xml" && mv "$part" "$KAFKA_JARS"
}

need_kafka() {
  ! tansu_is_chosen || return 0
  need_java
  kafka_jars_are_current && return
  need_system_tool mvn maven
  kafka_fetch_jars || need_tansu
}

# Every detour of the profile as a listener: `kafka_detours 1` lists where they listen, `kafka_detours 2` what they advertise.
kafka_detours() {
  local detour number=0
  for detour in $KAFKA_DETOURS; do
    printf ',DETOUR%d://127.0.0.1:%s' "$((number += 1))" "$(cut -d: -f"$1" <<<"$detour")"
  done
}

kafka_detour_protocols() {
  local detour number=0
  for detour in $KAFKA_DETOURS; do printf ',DETOUR%d:PLAINTEXT' "$((number += 1))"; done
}

# Small numbers everywhere: a node of one, quick to start, and internal topics that need no second copy.
kafka_write_config() {
  cat >"$STATE/kafka/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT$(kafka_detours 1)
advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT$(kafka_detours 2)
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT$(kafka_detour_protocols)
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$STATE/kafka/data

# Topics are created by the services with the right settings, never by a typing error.
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0

num.network.threads=2
num.io.threads=4
# The default of 128 MB is a quarter of this broker's heap.
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
}

kafka_java() {
  # Heap and log settings for the server and its tools alike; exec so that the pid is Java's.
  exec java -Xms128m -Xmx512m -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
    -Dlog4j2.configurationFile="$LOCAL_DIR/kafka/log4j2.properties" -cp "$KAFKA_JARS/*" "$@"
}

# Writes the cluster's identity, once; like MySQL's, the folder gets its name when it is complete.
kafka_format() {
  local data=$STATE/kafka/data
  [[ ! -d $data ]] || return 0
  say "formatting Kafka's storage"
  rm -rf "$data.part"
  sed "s|^log.dirs=.*|log.dirs=$data.part|" "$STATE/kafka/server.properties" >"$STATE/kafka/format.properties"
  (kafka_java kafka.tools.StorageTool format --cluster-id "$(openssl rand -base64 16 | tr '+/' '-_' | tr -d '=')" \
    --config "$STATE/kafka/format.properties") >>"$LOG_DIR/kafka.log" 2>&1 ||
    die "Kafka's storage could not be formatted. The end of $LOG_DIR/kafka.log:
$(tail -n 15 "$LOG_DIR/kafka.log")"
  mv "$data.part" "$data"
}

start_kafka() {
  ! is_running kafka || return 0
  need_free_port Kafka "$KAFKA_PORT"
  mkdir -p "$STATE/kafka" "$LOG_DIR"
  if tansu_is_chosen; then
    start_tansu
    return
  fi
  need_free_port "Kafka's controller" "$KAFKA_CONTROLLER_PORT"
  kafka_write_config
  kafka_format
  export -f kafka_java
  export LOCAL_DIR KAFKA_JARS
  # shellcheck disable=SC2016 # $1 is the inner shell's
  start_process kafka bash -c 'kafka_java kafka.Kafka "$1"' kafka "$STATE/kafka/server.properties"
}

# Ready means: the broker is registered and answers a client's request for metadata.
kafka_answers() { kcat -b "127.0.0.1:$KAFKA_PORT" -L -m 2 2>/dev/null | grep -q '1 brokers'; }

wait_kafka() { wait_ready kafka 90 kafka_answers; }
