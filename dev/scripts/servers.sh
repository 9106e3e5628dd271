#!/usr/bin/env bash
# servers.sh: every promise against every server; what has been seen becomes the table of docs/servers.md. REAL_SERVERS lists
# features, as in test.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

dev/scripts/setup.sh
export MINISTACK=$PWD/.test/venv/bin/ministack
# Some clients give up plain HTTP to a local server when a certificate file of somebody else's is set.
unset AWS_CA_BUNDLE
target_dir=$(realpath "${CARGO_TARGET_DIR:-target}")
written=$target_dir/nextest/default/junit.xml
rm -f "$written"
cargo nextest run --workspace --features "$REAL_SERVERS" -E 'binary(delivery) and test(/^(openssh|servers|embedded)::/)'
.test/venv/bin/python dev/checks/servers.py "$written" --write
