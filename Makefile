# What people and CI do here, one verb each; the work is in dev/scripts and dev/checks.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The function's architecture: x86_64 or arm64.
ARCH ?= x86_64
# Arguments of the demo, such as --stay, of the soak, such as --seed 7, or of the bench, such as --only large-0ms.
ARGS ?=
# The AWS command line of `make update`; its credentials, profile and AWS_ENDPOINT_URL are its own matter.
AWS_CLI ?= aws
PACKAGE := $(CURDIR)/package.zip
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)

# PACKAGE/real-servers for each crate that has that feature: it gates the tests against sshd and the other
# servers of this machine. PACKAGE/take-out-rules likewise: the tests that show what each rule of a delivery is for.
REAL_SERVERS := $(shell awk -F'"' 'FNR == 1 { name = "" } /^name = / && name == "" { name = $$2 } \
	/^(real-servers|take-out-rules) *=/ { split($$0, it, " "); print name "/" it[1] }' \
	crates/*/Cargo.toml dev/*/Cargo.toml | paste -sd, -)

.PHONY: help demo test soak bench servers fuzz check package update upload readme clean

help: ## lists the verbs
	@awk -F': .*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## moves files from an S3 to an SFTP server, both embedded, by the real function; ARGS=--stay keeps it running
	@echo "Building the function and its servers: two to five minutes the first time, on two cores." >&2
	@cargo build --profile demo -p s3-to-sftp-lambda -p demo
	@"$(TARGET)/demo/demo" $(ARGS)

test: ## sets this machine up and runs all tests, against real servers too
	@REAL_SERVERS="$(REAL_SERVERS)" dev/scripts/test.sh

soak: ## kills and freezes the real function on real servers, fifty times and more; ARGS="--kills N --seed S", --help
	@REAL_SERVERS="$(REAL_SERVERS)" dev/scripts/soak.sh $(ARGS)

bench: ## moves the same bytes by the function, sftp, rclone, lftp and Python; ARGS=--quick shows that it runs, --help the rest
	@dev/scripts/bench.sh $(ARGS)

servers: ## runs every promise against every server, and writes the table of docs/servers.md
	@REAL_SERVERS="$(REAL_SERVERS)" dev/scripts/servers.sh

fuzz: ## runs the fuzz targets for a minute each; ARGS="--seconds N TARGET…", --help
	@dev/scripts/fuzz.sh $(ARGS)

check: ## format, lints, docs, the dependency graph, and the README's settings
	@REAL_SERVERS="$(REAL_SERVERS)" dev/checks/all.sh

package: ## package.zip for AWS Lambda; ARCH=arm64 for Graviton
	@dev/scripts/package.sh "$(ARCH)" "$(PACKAGE)"

update: ## puts package.zip into the function ARN=arn:aws:lambda:…, and moves one off the old Python runtime
	@AWS_CLI="$(AWS_CLI)" dev/scripts/update.sh "$(ARN)" "$(ARCH)" "$(PACKAGE)"

upload: update ## the old name of update

readme: ## rewrites what the README and the docs have from the code, from prices and from the bench's figures
	@WRITE_README=1 cargo test -q --workspace --features "$(REAL_SERVERS)" --test readme --test figures_in_docs -- --test-threads 1

clean: ## removes what the other verbs made
	cargo clean
	rm -rf .test package.zip
