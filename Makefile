# The everyday commands. Each is a line or two around cargo or a script in scripts/.

.DEFAULT_GOAL := help
SHELL := /bin/bash

.PHONY: help
help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Installs what the tests need: nginx, Docker, pebble, BIND, certbot, …, and the Python judges in target/tools
	@scripts/setup tests

.PHONY: quickstart
quickstart: ## Plans, applies and fetches examples/quickstart on an nginx of vsa's own
	@scripts/quickstart

.PHONY: test
test: setup ## Runs every test, the long ones at small counts
	@scripts/test

.PHONY: soak
soak: setup ## Runs the long tests (kills, continuity, injection, canary, fuzz, scale) at their full counts
	@VSA_SOAK=1 scripts/test --profile soak

.PHONY: lint
lint: ## Checks formatting and runs clippy; a warning is an error
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

.PHONY: fmt
fmt: ## Formats the sources
	cargo fmt

.PHONY: bench
bench: ## Measures plan and apply at 100, 1,000 and 10,000 domains against the stated limits
	@scripts/setup quickstart
	cargo bench --locked --profile dist --bench scale

.PHONY: docs
docs: ## Builds the API documentation; a broken link is an error
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
