# Thin: every target is a few commands that can be typed by hand. `make demo` and `make test` set up what they need.
.PHONY: help setup build demo test lint bench clean
.DEFAULT_GOAL := help

DEMO ?= demo-run
BIN := target/release

help:   ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/'

setup:  ## install the Debian packages and libtorch that are missing
	@./setup.sh

build: setup  ## build the three programs (release)
	cargo build --locked --release -p mpic-sim -p mpic-kernels -p nas-search

demo: build  ## measure the table, search, simulate, show the Pareto front (about 10 minutes on 2 cores)
	@mkdir -p $(DEMO)
	$(BIN)/mpic-kernels lut -o $(DEMO)/lut.json
	$(BIN)/nas-search --cost $(DEMO)/lut.json --granularity channel --out $(DEMO)/channel
	$(BIN)/nas-search --cost $(DEMO)/lut.json --granularity layer --warm-start $(DEMO)/channel --out $(DEMO)/layer
	$(BIN)/nas-search report $(DEMO)/channel $(DEMO)/layer --out $(DEMO)

test: setup  ## run every test
	cargo test --locked --workspace

lint:   ## formatting, clippy and rustdoc, warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

bench:  ## speed measurements (ratios against a baseline in the same run)
	cargo bench --locked -p mpic-benches

clean:  ## remove build output and the demo run (keeps libtorch)
	cargo clean
	rm -rf $(DEMO)
