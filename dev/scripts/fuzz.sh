#!/usr/bin/env bash
# fuzz.sh [--seconds N] [--sanitizer address] [TARGET…]: runs each target of fuzz/ for N seconds, and fails at the first
# finding. Its corpora grow in fuzz/corpus/, which is not kept; fuzz/seeds/ and fixtures/events/ are, and only read.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=60 sanitizer=none targets=()
while (($#)); do
    case $1 in
        --seconds) seconds=${2:?--seconds takes a number} && shift ;;
        --sanitizer) sanitizer=${2:?--sanitizer takes none or address} && shift ;;
        --help | -h) sed -n '2,3s/^# //p' "$0" && exit 0 ;;
        -*) printf 'make fuzz: no such argument: %s\n' "$1" >&2 && exit 2 ;;
        *) targets+=("$1") ;;
    esac
    shift
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { printf 'make fuzz: --seconds takes a number, not %s\n' "$seconds" >&2 && exit 2; }

if ! cargo fuzz --version >/dev/null 2>&1; then
    printf 'make fuzz: cargo-fuzz is missing; next: cargo install cargo-fuzz\n' >&2
    exit 1
fi
# Nothing of this project is `unsafe`: without a sanitizer the pinned toolchain is enough, and twice as much is tried.
toolchain=()
if [[ $sanitizer != none ]]; then
    if ! rustc +nightly --version >/dev/null 2>&1; then
        printf 'make fuzz: --sanitizer %s takes a nightly toolchain; next: rustup toolchain install nightly\n' "$sanitizer" >&2
        exit 1
    fi
    toolchain=(+nightly)
fi
((${#targets[@]})) || mapfile -t targets < <(cargo fuzz list)

begin=$SECONDS
for target in "${targets[@]}"; do
    cargo "${toolchain[@]}" fuzz build --sanitizer "$sanitizer" "$target"
done
printf '\n== built in %d s\n' $((SECONDS - begin))

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
    seeds=fuzz/seeds/$target
    [[ $target != events ]] || seeds=fixtures/events
    corpora=("fuzz/corpus/$target")
    mkdir -p "${corpora[0]}"
    [[ ! -d $seeds ]] || corpora+=("$seeds")
    # 20 s for one input: a debug assertion costs time, an endless loop takes it all.
    if ! cargo "${toolchain[@]}" fuzz run --sanitizer "$sanitizer" "$target" "${corpora[@]}" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log"
        printf '\n== %s: a finding; the input is in fuzz/artifacts/%s/\n' "$target" "$target"
        exit 1
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if ! ((executions > 0)); then
        tail -n 20 "$log"
        printf '\n== %s: nothing was executed\n' "$target" >&2
        exit 1
    fi
    covered=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)
    printf '%-14s %4d s %12d executions, %s, no finding\n' "$target" "$seconds" "$executions" "${covered:-}"
done
