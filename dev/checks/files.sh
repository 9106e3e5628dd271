#!/usr/bin/env bash
# files.sh: what no tracked file may be or hold.
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=0
complain() {
    printf 'files: %s\n' "$*" >&2
    failed=1
}

# Where somebody's machine keeps things, and from where it takes its packages, works on that machine only.
# The brackets keep the pattern from finding itself.
found=$(git grep -nIE '/[w]ork/|/[r]oot/|[-]-(extra-)?index-url|[f]ind-links|[r]eplace-with *=' -- ':!Cargo.lock' || true)
[[ -z $found ]] || complain "a path or a package mirror of one machine:"$'\n'"$found"

while read -r lines file; do
    ((lines <= 800)) || complain "$file has $lines lines; 800 are the most: split it by what it does"
done < <(git ls-files -z '*.rs' | xargs -0 wc -l | grep -v ' total$')

exit "$failed"
