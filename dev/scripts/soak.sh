#!/usr/bin/env bash
# soak.sh [ARGUMENT…]: the function as it ships, between servers that are killed. `dev/scripts/soak.sh --help` lists the arguments.
# Without any: then 20 GiB through a real queue, for which the disk needs room, 5,000 small objects, and 10,000 odd keys. BOOTSTRAP and PACKAGE_ZIP name what is built already;
# REAL_SERVERS lists features, as in test.sh.
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
    export PACKAGE_ZIP=$PWD/package.zip
    BOOTSTRAP=$(realpath "${CARGO_TARGET_DIR:-target}")/release/bootstrap
fi
export BOOTSTRAP
# Some clients give up plain HTTP to a local server when a certificate file of somebody else's is set.
unset AWS_CA_BUNDLE
# With what `make test` builds, too: nothing is built twice.
selection=(--quiet --workspace --features "$REAL_SERVERS")
cargo build "${selection[@]}" --bin soak
"${CARGO_TARGET_DIR:-target}/debug/soak" "$@"
(($# == 0)) || exit 0

printf '\n20 GiB through a real queue, in invocations of 10 s, two of which are killed\n'
export MINISTACK=$PWD/.test/venv/bin/ministack AWS_CLI=$PWD/.test/venv/bin/aws
export RELAY_MIB=20480 RELAY_TIMEOUT=10 RELAY_MIB_PER_SECOND=0
cargo test "${selection[@]}" --test ministack -- \
    --nocapture an_object_is_relayed_through_a_queue_by_invocations_that_are_killed

printf '\n5,000 objects of 10 KiB through a real queue, over five connections at most; the link is cut and S3 fails\n'
# Twice: a login for each object, as the template of deploy/ has it, and one for ten.
for batch in 1 10; do
    CROWD_OBJECTS=5000 CROWD_BATCH=$batch cargo test "${selection[@]}" --test ministack -- \
        --nocapture a_crowd_of_objects_keeps_to_the_partners_cap
done

printf '\n10,000 odd keys, through sshd\n'
OBJECT_KEYS=10000 cargo test "${selection[@]}" --test delivery -- \
    --nocapture every_key_arrives_at_openssh_as_it_is_or_is_refused
