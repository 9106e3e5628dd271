#!/usr/bin/env bash
# test.sh: all tests, on one release build of the function. REAL_SERVERS lists the features that add the real
# servers and the rules that can be taken out.
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { printf '\n== %s (%d s so far)\n' "$*" "$SECONDS"; }

step 'setting the machine up'
dev/scripts/setup.sh

step 'the templates in deploy/'
dev/checks/deploy.sh

step 'building the function as it ships'
case $(uname -m) in
    x86_64) arch=x86_64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) printf 'make test: AWS Lambda has no %s\n' "$(uname -m)" >&2 && exit 1 ;;
esac
# Of this machine's architecture, whatever ARCH is: the tests start it.
dev/scripts/package.sh "$arch" "$PWD/package.zip"

target_dir=$(realpath "${CARGO_TARGET_DIR:-target}")
export BOOTSTRAP=$target_dir/release/bootstrap
export PACKAGE_ZIP=$PWD/package.zip
export MINISTACK=$PWD/.test/venv/bin/ministack
export AWS_CLI=$PWD/.test/venv/bin/aws
export ARCH=$arch
# Some clients give up plain HTTP to a local server when a certificate file of somebody else's is set.
unset AWS_CA_BUNDLE

# All that is written from here on is scanned for the secrets that the tests use.
export SECRET_SCAN=$PWD/.test/secret-scan
rm -rf "$SECRET_SCAN"
mkdir -p "$SECRET_SCAN"

selection=(--workspace --features "$REAL_SERVERS")
if cargo nextest --version >/dev/null 2>&1; then
    step "building the tests, with $REAL_SERVERS"
    cargo nextest run "${selection[@]}" --no-run
    step 'running the tests'
    # It stores what each test wrote, of those that passed too (.config/nextest.toml).
    written=$target_dir/nextest/default/junit.xml
    rm -f "$written"
    # Two for each processor: most wait, for a time-out or for a server.
    cargo nextest run "${selection[@]}" --test-threads "$((2 * $(getconf _NPROCESSORS_ONLN)))"
    step 'comparing the table of servers with what they have shown'
    .test/venv/bin/python dev/checks/servers.py "$written"
else
    step "building and running the tests, with $REAL_SERVERS (cargo-nextest would be faster)"
    written=$SECRET_SCAN/cargo-test.txt
    cargo test "${selection[@]}" --all-targets -- --show-output 2>&1 | tee "$written"
fi

step 'looking for secrets in what was written'
dev/checks/secrets.sh "$SECRET_SCAN" "$written"

step 'running the examples of the documentation'
cargo test --quiet --doc --workspace

step 'done'
