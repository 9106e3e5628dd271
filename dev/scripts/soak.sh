#!/usr/bin/env bash
# soak.sh [ARGUMENT…]: the function as it ships, between servers that are killed. `dev/scripts/soak.sh --help` lists the arguments.
# BOOTSTRAP names an executable that is built already.
set -euo pipefail
cd "$(dirname "$0")/../.."

dev/scripts/setup.sh
if [[ -z ${BOOTSTRAP:-} ]]; then
    case $(uname -m) in
        x86_64) arch=x86_64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) printf 'make soak: AWS Lambda has no %s\n' "$(uname -m)" >&2 && exit 1 ;;
    esac
    dev/scripts/package.sh "$arch" "$PWD/package.zip"
    BOOTSTRAP=$(realpath "${CARGO_TARGET_DIR:-target}")/release/bootstrap
fi
export BOOTSTRAP
# Some clients give up plain HTTP to a local server when a certificate file of somebody else's is set.
unset AWS_CA_BUNDLE
exec cargo run --quiet -p soak -- "$@"
