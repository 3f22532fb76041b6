# The commands of this repository. Each works on a fresh clone; `make setup` first where packages may be missing.

.PHONY: help setup demo test lint bench docs
.DEFAULT_GOAL := help

# Where lit and FileCheck are.
LLVM := /usr/lib/llvm-22
# The profile that `make demo` and `make bench` build with.
PROFILE ?= release
TOOLS := target/$(subst dev,debug,$(PROFILE))

help:
	@echo "make setup   install the Debian packages that are missing"
	@echo "make demo    build, compile the network of examples/digits, run it, print accuracy and latency"
	@echo "make test    build and run every test"
	@echo "make lint    formatting, clippy, generated documentation up to date"
	@echo "make bench   time compiling and simulating examples/digits"
	@echo "make docs    generate the pages of docs/ that are made from the source"

setup:
	@tools/setup.sh

demo: setup
	cargo build --profile $(PROFILE) --package hb-tools --bins
	cargo build --profile $(PROFILE) --example digits-report
	examples/digits/demo.sh $(TOOLS)

test: setup
	cargo build --workspace --bins
	@if cargo nextest --version >/dev/null 2>&1; then \
		echo cargo nextest run --workspace; cargo nextest run --workspace; \
	else \
		echo cargo test --workspace; cargo test --quiet --workspace; \
	fi
	$(LLVM)/bin/lit -v --param tools=target/debug lit-tests

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run --quiet --package hb-tools --bin hb-docs -- --check

bench: setup
	cargo build --profile $(PROFILE) --package hb-tools --bins
	examples/digits/bench.sh $(TOOLS)

docs:
	cargo run --quiet --package hb-tools --bin hb-docs
