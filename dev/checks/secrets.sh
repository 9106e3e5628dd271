#!/usr/bin/env bash
# secrets.sh DIRECTORY [FILE…]: fails if any secret of the tests is in what was written while they ran. DIRECTORY is what
# SECRET_SCAN was (dev/testkit/src/secrets.rs); each FILE is the test runner's own output.
set -euo pipefail

directory=$1
shift
needles=$directory/needles

fail() {
    printf 'the secret scan: %s\n' "$*" >&2
    exit 1
}

# A scan of nothing, or for nothing, would find nothing.
[[ -s $needles ]] || fail "no secret was used: there is no $needles"
logs=$(find "$directory/logs" -name '*.log' -size +0 | wc -l)
((logs > 0)) || fail "nothing was written: $directory/logs holds no line"
for file in "$@"; do
    [[ -s $file ]] || fail "there is no $file"
done

sort -u "$needles" | grep -v '^$' >"$needles.sorted"
# Only the place: what stands there would be the secret.
found=$({
    grep -rnF -f "$needles.sorted" "$directory/logs" "$@" || true
    # A key that nobody has registered.
    grep -rnE 'PRIVATE KEY-----(\\[rn]|\s)*[A-Za-z0-9+/]{40}' "$directory/logs" "$@" || true
} | cut -d: -f1,2 | sort -u)
[[ -z $found ]] || fail "a secret was written, in file:line
$found"
printf 'no secret in %d files: looked for %d texts\n' $((logs + $#)) "$(wc -l <"$needles.sorted")"
