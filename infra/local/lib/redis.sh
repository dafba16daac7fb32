# Redis: a private server that keeps nothing on disk; what it holds is live counters and short-lived tokens.
# Sourced after common.sh and process.sh.
# shellcheck shell=bash

start_redis() {
  ! is_running redis || return 0
  need_free_port Redis "$REDIS_PORT"
  mkdir -p "$STATE/redis"
  start_process redis redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$STATE/redis" --save '' \
    --appendonly no --daemonize no
}

redis_answers() { [[ $(redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping) == PONG ]]; }

wait_redis() { wait_ready redis 20 redis_answers; }
