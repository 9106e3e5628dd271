#!/usr/bin/env bash
# all.sh: what has to hold before a change lands, beside the tests. REAL_SERVERS as for dev/scripts/test.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { printf '\n== %s (%d s so far)\n' "$*" "$SECONDS"; }

step 'format'
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check

step 'the shape of the files'
dev/checks/files.sh

step 'the dependency graph'
dev/checks/graph.sh

# One selection for all of it, and the one of `make test`: another set of features would have the dependencies built again.
selection=(--workspace --features "$REAL_SERVERS")

step "lints"
cargo clippy --quiet "${selection[@]}" --all-targets -- -D warnings

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --quiet "${selection[@]}" --no-deps --document-private-items

step "the README and the docs against the code"
cargo test --quiet "${selection[@]}" --test readme --test promises_in_docs --test errors_in_docs --test iam_in_deploy \
    --test authentication_in_docs --test events_in_fixtures --test pages_in_docs --test figures_in_docs

step 'done'
