# Thin: every target is a few commands that can be typed by hand. `make test` sets up what it needs.
.PHONY: help setup build test lint bench clean
.DEFAULT_GOAL := help

help:   ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/'

setup:  ## install the Debian packages and libtorch that are missing
	@./setup.sh

build: setup  ## build the programs (release)
	cargo build --locked --release -p mpic-sim

test: setup  ## run every test
	cargo test --locked --workspace

lint:   ## formatting, clippy and rustdoc, warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

bench:  ## speed measurements (ratios against a baseline in the same run)
	cargo bench --locked -p mpic-benches

clean:  ## remove build output (keeps libtorch)
	cargo clean
