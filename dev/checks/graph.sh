#!/usr/bin/env bash
# graph.sh: who may depend on whom (ARCHITECTURE.md). What ships holds nothing of what does not; the engine knows
# neither SSH nor S3, the library neither Lambda nor a command line; the test kit does not know what it tests.
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=0
complain() {
    printf 'graph: %s\n' "$*" >&2
    failed=1
}

# holds_none PACKAGE EDGES NAME…: none of these packages is in its graph. A name may be a shell pattern.
holds_none() {
    local package=$1 edges=$2 graph name found
    shift 2
    graph=$(cargo tree --locked --quiet --package "$package" --edges "$edges" --prefix none --format '{p}' | cut -d ' ' -f 1 | sort -u)
    # An empty graph would hold none of anything.
    grep -qx "$package" <<<"$graph" || complain "cargo tree says nothing of $package"
    for name; do
        while read -r found; do
            # shellcheck disable=SC2053 # a pattern on purpose
            [[ $found != $name ]] || complain "$package depends on $found: cargo tree -p $package -e $edges -i $found"
        done <<<"$graph"
    done
}

holds_none s3-to-sftp-lambda normal testkit demo soak bench s3s clap openssl-sys
holds_none s3-to-sftp-cli normal testkit demo soak bench s3s lambda_runtime openssl-sys
holds_none s3-to-sftp normal testkit lambda_runtime lambda_runtime_api_client clap
holds_none sftp normal testkit russh 'russh-*' 'aws-sdk-*' s3-to-sftp
holds_none testkit normal,build,dev s3-to-sftp sftp

# ships_without PACKAGE FEATURE: what is built of a package to be shipped does not have that feature of the library.
ships_without() {
    local package=$1 feature=$2 graph
    graph=$(cargo tree --locked --quiet --package "$package" --edges normal,features --invert s3-to-sftp --prefix none)
    grep -q '^s3-to-sftp v' <<<"$graph" || complain "cargo tree says nothing of the library in $package"
    ! grep -q "^s3-to-sftp feature \"$feature\"" <<<"$graph" || complain "$package is built with $feature of the library"
}

ships_without s3-to-sftp-lambda take-out-rules
ships_without s3-to-sftp-cli take-out-rules

# names_none WHY PATTERN PATH…: no line of these files matches. Comments may name what the code must not.
names_none() {
    local why=$1 pattern=$2 found
    shift 2
    found=$(git grep --untracked -nE "$pattern" -- "$@" | grep -vE '^[^:]+:[0-9]+: *//' || true)
    [[ -z $found ]] || complain "$why:"$'\n'"$found"
}

names_none 'a library reads no environment: settings take a lookup function' \
    '\bstd::env\b|\benv::var|\buse std::\{.*\benv\b' crates/s3-to-sftp/src crates/sftp/src
names_none 'russh is used in crates/s3-to-sftp/src/ssh only' \
    '\brussh::|\b(use|crate) russh\b' crates/*/src ':!crates/s3-to-sftp/src/ssh'

exit "$failed"
