# The commands of this repository. Each works on a fresh clone; `make setup` first where packages may be missing.

.PHONY: help setup demo test fuzz hostile conformance lint bench docs
.DEFAULT_GOAL := help

# Where lit and FileCheck are.
LLVM := /usr/lib/llvm-22
# The profile that `make demo` and `make bench` build with.
PROFILE ?= release
TOOLS := target/$(subst dev,debug,$(PROFILE))
# With an example among the targets cargo chooses the features that it chooses for tests: the library is compiled once for both.
BUILD := cargo build --workspace --bins --example digits-report

help:
	@echo "make setup   install the packages that are missing"
	@echo "make demo    build, compile the network of examples/digits, run it, print accuracy and latency"
	@echo "make test    build and run every test; with HB_BLESS=1 golden files are rewritten (CONTRIBUTING.md)"
	@echo "make fuzz    any number of random networks through every level: NETWORKS=2000 SEED=1 (tests/random/)"
	@echo "make hostile   any number of mutated ONNX and Caffe files: MUTATIONS=5000 of each kind (tests/hostile/)"
	@echo "make conformance   the cases of ONNX's own backend test, and which are refused (tools/conformance/)"
	@echo "make lint    formatting, clippy, documentation, dependencies (deny.toml), generated documentation up to date"
	@echo "make bench   time running and compiling beside onnxruntime (tools/bench/bench.py)"
	@echo "make docs    generate the pages of docs/ that are made from the source"

setup:
	@tools/setup.sh

demo: setup
	$(BUILD) --profile $(PROFILE)
	examples/digits/demo.sh $(TOOLS)

test: setup
	$(BUILD)
	@if cargo nextest --version >/dev/null 2>&1; then \
		echo cargo nextest run --workspace; cargo nextest run --workspace; \
	else \
		echo cargo test --workspace; cargo test --quiet --workspace; \
	fi
	$(LLVM)/bin/lit -v --param tools=target/debug lit-tests
	tools/browser/run.sh target/debug

# Random networks, and more of them than `make test` takes. Random bytes are another thing: fuzz/README.md.
NETWORKS ?= 100
SEED ?= 1
fuzz: setup
	NETWORKS=$(NETWORKS) SEED=$(SEED) cargo test --quiet --workspace --test random -- --ignored --exact any_number_of_networks --nocapture

# More mutated ONNX and Caffe files than `make test` takes: so many of each of four kinds.
MUTATIONS ?= 5000
hostile: setup
	MUTATIONS=$(MUTATIONS) cargo test --quiet --workspace --test hostile -- onnx_bytes onnx_graphs caffe_texts caffe_weights --nocapture

# ONNX's own cases, from the package `onnx` of PyPI.
conformance: setup
	cargo build --profile $(PROFILE) --example conformance
	tools/conformance/run.sh $(TOOLS)/examples/conformance

lint: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	CARGO_ENCODED_RUSTFLAGS=--cfg=board cargo clippy --quiet --package hb-runtime --target aarch64-unknown-linux-gnu -- -D warnings
	RUSTDOCFLAGS="$(RUSTDOCFLAGS) -D warnings" cargo doc --quiet --workspace --no-deps
	@if cargo deny --version >/dev/null 2>&1; then \
		echo cargo deny --offline check bans licenses sources; cargo deny --offline --log-level error check bans licenses sources; \
	else \
		echo "cargo deny is not installed: deny.toml is not checked"; \
	fi
	$(BUILD) --quiet
	target/debug/hb-docs --check

bench: setup
	$(BUILD) --profile $(PROFILE)
	tools/bench/run.sh $(TOOLS)

docs: setup
	$(BUILD) --quiet
	target/debug/hb-docs
