# Runs something against the private servers of profile `test`. Sourced after common.sh.
# shellcheck shell=bash

# with_test_servers COMMAND...: ends with the command's status. Servers that had to be started are ended afterwards,
# unless KEEP is set; two runs at once would end each other's, so they take turns. After a success their data goes, too:
# a Kafka that remembers thousands of tests' topics takes a minute to start. After a failure it stays, to be looked at.
with_test_servers() {
  use_profile test
  with_lock "$STATE_ROOT/test-run.lock" on_test_servers "$@"
}

# Called where a failing test is no surprise (`|| exit`), so `set -e` is off in here: every step is checked.
on_test_servers() {
  if [[ -z ${KEEP:-} && $("$LOCAL_DIR/stack" status --profile test) != *running* ]]; then
    trap 'end_test_servers $?' EXIT
  fi
  "$LOCAL_DIR/stack" up --profile test && "$@" 9>&-
}

end_test_servers() {
  local status=$1 wipe=()
  ((status != 0)) || wipe=(--wipe)
  "$LOCAL_DIR/stack" down --profile test ${wipe[@]+"${wipe[@]}"}
}
