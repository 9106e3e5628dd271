#!/usr/bin/env bash
# bench.sh [ARGUMENT…]: the function as it ships, beside sftp, rclone, lftp and Python. `dev/scripts/bench.sh --help` lists the
# arguments. BOOTSTRAP and PACKAGE_ZIP name what is built already.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=$PWD/.test/bench

# What only looks at figures needs nothing to be measured with.
case ${1:-} in
    --help | -h | list | report) exec cargo run --quiet -p bench -- "$@" ;;
esac

dev/scripts/setup.sh lftp git
if ! cmp -s dev/bench/requirements.txt "$venv/requirements.txt"; then
    printf 'installing dev/bench/requirements.txt into .test/bench\n'
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r dev/bench/requirements.txt
    cp dev/bench/requirements.txt "$venv/requirements.txt"
fi
export PYTHON=$venv/bin/python

if [[ -z ${BOOTSTRAP:-} ]]; then
    case $(uname -m) in
        x86_64) arch=x86_64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) printf 'make bench: AWS Lambda has no %s\n' "$(uname -m)" >&2 && exit 1 ;;
    esac
    dev/scripts/package.sh "$arch" "$PWD/package.zip"
    export PACKAGE_ZIP=$PWD/package.zip
    BOOTSTRAP=$(realpath "${CARGO_TARGET_DIR:-target}")/release/bootstrap
fi
export BOOTSTRAP

# The development profile is fast enough for what runs in here: the S3 takes a quarter of a second of processor time for a
# gibibyte, and 700 MB/s go through the proxy.
cargo build --quiet -p bench
exec "${CARGO_TARGET_DIR:-target}/debug/bench" "$@"
