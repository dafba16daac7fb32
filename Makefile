# The commands a newcomer needs; `make` lists them. All real work is in scripts (infra/local) and in cargo.

# `make token` prints a token and nothing else, also under -w and -C. GNU make before 4.4 heeds --no-print-directory too
# late in a makefile; told to synchronise the output of parallel jobs, it announces the directory only with output that it has collected,
# and it collects none of a recipe marked `+`.
MAKEFLAGS += --no-print-directory
ifeq ($(MAKECMDGOALS),token)
MAKEFLAGS += -j2 --output-sync=line
endif
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LOCAL := infra/local
CARGO := $(LOCAL)/cargo
BINARIES := --bin command-api --bin projector --bin query-api

##@ Run it

.PHONY: up
up: ## Start the servers, build and start the three services (idempotent)
	@$(LOCAL)/stack up
	@$(CARGO) build --release $(BINARIES)
	@$(LOCAL)/services up

.PHONY: demo
demo: up ## Play one movie's whole life, after `up`
	@$(LOCAL)/demo

.PHONY: status
status: ## Show what runs
	@$(LOCAL)/stack status
	@$(LOCAL)/services status

.PHONY: down
down: ## End everything that was started; the data stays
	@$(LOCAL)/services down
	@$(LOCAL)/stack down
	@$(LOCAL)/stack down --profile test

.PHONY: token
token: ## Print a JWT and nothing else: make token SCOPE="catalog:write catalog:read"
	+@$(LOCAL)/token

##@ Work on it

.PHONY: test
test: ## Run all tests against private servers of their own (KEEP=1 leaves those running)
	@$(LOCAL)/test

.PHONY: test-parquet
test-parquet: ## Lint and test the projector with its Parquet feature, which `lint` and `test` leave out
	@$(CARGO) clippy --package projector --all-targets --features parquet -- -D warnings
	@$(LOCAL)/test --package projector --features parquet --test it replay::parquet

.PHONY: bench
bench: ## Measure, beside mysql-es, an outbox, Debezium and nginx, in one run
	@$(LOCAL)/bench

.PHONY: import-catalog
import-catalog: ## Import a real catalog of 3,201 films, and check every answer (DEMO=1: into `make up`'s)
	@tests/catalog-import/run $(if $(DEMO),--demo)

.PHONY: fmt
fmt: ## Format the code
	@$(CARGO) fmt --all

.PHONY: lint
lint: ## Check the format, clippy's lints, the shell scripts and docs/asyncapi.yaml
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	@$(LOCAL)/lint
	@$(LOCAL)/asyncapi/validate

.PHONY: help
help: ## List these commands
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
