# Thin: every target is a few commands that can be typed by hand. `make test` sets up what it needs.
.PHONY: help setup build wheel demo test lint bench clean
.DEFAULT_GOAL := help

help:   ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/'

setup:  ## install the Debian packages and libtorch that are missing
	@./setup.sh

build: setup  ## build the programs (release)
	cargo build --locked --release -p mpic-sim -p mpic-kernels -p nas-search

wheel: ## build the wheel of the Python package, in target/wheels
	@./setup.sh venv
	.venv/bin/maturin build --release --locked -m python/Cargo.toml

demo: build   ## measure the cost table, search, deploy, simulate; the Pareto result in demo-run/report.html
	rm -rf demo-run && mkdir demo-run
	target/release/mpic-kernels lut --network fashion -o demo-run/lut.json
	target/release/nas-search --cost demo-run/lut.json --weights 0,2,4,8 --points 8 --out demo-run/channel
	target/release/nas-search --cost demo-run/lut.json --granularity layer --points 4 --warm-start demo-run/channel --out demo-run/layer
	target/release/nas-search --cost demo-run/lut.json --granularity width --fixed w4a4 --points 3 --warm-start demo-run/channel --out demo-run/width
	target/release/nas-search --cost demo-run/lut.json --granularity fixed --fixed w8a8,w4a4,w2a2 --warm-start demo-run/channel --out demo-run/fixed
	@echo; target/release/nas-search report demo-run/channel demo-run/layer demo-run/width demo-run/fixed --out demo-run

test: setup  ## run every test
	@./setup.sh browser slurm venv
	cargo test --locked --workspace

lint:   ## formatting, clippy and rustdoc, warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

bench:  ## speed measurements (ratios against a baseline in the same run)
	cargo bench --locked -p mpic-benches

clean:  ## remove build output (keeps libtorch)
	cargo clean
