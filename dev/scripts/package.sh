#!/usr/bin/env bash
# package.sh ARCH ZIP: builds the function, checks that it can run on Amazon Linux 2023, and zips it.
set -euo pipefail
cd "$(dirname "$0")/../.."

arch=$1
zip=$2
# Of Amazon Linux 2023, which provided.al2023 is made of.
newest_glibc=GLIBC_2.34
libraries='libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1|ld-linux-(x86-64\.so\.2|aarch64\.so\.1)'
# The zip is downloaded and unpacked in every cold start. 5.6 MB before it had clients of SQS and Lambda, for hand-overs.
most_bytes=6000000

fail() {
    printf 'make package: %s\n' "$*" >&2
    exit 1
}

case $arch in
    x86_64) target=x86_64-unknown-linux-gnu gcc=x86_64-linux-gnu-gcc machine='Advanced Micro Devices X86-64' ;;
    arm64) target=aarch64-unknown-linux-gnu gcc=aarch64-linux-gnu-gcc machine='AArch64' ;;
    *) fail "ARCH is '$arch', and AWS Lambda knows x86_64 and arm64" ;;
esac

for tool in cargo zip unzip readelf strip; do
    command -v "$tool" >/dev/null || fail "$tool is missing (Debian: apt-get install zip unzip binutils; cargo: rustup)"
done

# On a machine of the function's own kind no --target is given: the build is then the one in target/release.
target_dir=${CARGO_TARGET_DIR:-target}
build=(cargo rustc --release --package s3-to-sftp-lambda --bin bootstrap)
bootstrap=$target_dir/release/bootstrap
strip=strip
host=$(rustc -vV | sed -n 's/^host: //p')
if [[ $host != "$target" ]]; then
    missing=()
    # Without rustup there is no list to ask; cargo itself says then what it misses.
    if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx "$target"; then
        missing+=("the Rust target: rustup target add $target")
    fi
    # AWS-LC is C, so the linker alone would not do.
    command -v "$gcc" >/dev/null || missing+=("the C compiler $gcc: apt-get install gcc-${gcc%-gcc} (Debian)")
    if ((${#missing[@]})); then
        printf 'make package: to build ARCH=%s on %s, install\n' "$arch" "$host" >&2
        printf '  %s\n' "${missing[@]}" >&2
        exit 1
    fi
    linker=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_LINKER
    export "$linker=${!linker:-$gcc}"
    strip=${gcc%-gcc}-strip
    build+=(--target "$target")
    bootstrap=$target_dir/$target/release/bootstrap
fi

# Functions that became the same instructions are one: 1.5 % less to load. Nothing here tells functions apart by their addresses, which
# Rust does not promise either. Rust's own linker for x86-64 is LLVM's, which can; GNU's, for arm64, cannot.
link=()
if [[ $arch == x86_64 ]]; then
    link=(-C link-arg=-Wl,--icf=all)
fi
"${build[@]}" -- "${link[@]}"

# What is wrong here ends the function at exec, in the cloud and long after this.
found=$(readelf --wide --file-header "$bootstrap" | sed -n 's/^ *Machine: *//p')
[[ $found == "$machine" ]] || fail "$bootstrap is for $found, and ARCH=$arch needs $machine"

foreign=$(readelf --wide --dynamic "$bootstrap" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vxE "$libraries" || true)
[[ -z $foreign ]] || fail "$bootstrap needs libraries that Amazon Linux 2023 may not have: $foreign"

versions=$(readelf --wide --version-info "$bootstrap" | grep -oE 'GLIBC_[A-Z0-9_.]+' | sort -Vu)
newest=$(grep -E '^GLIBC_[0-9.]+$' <<<"$versions" | tail -n 1)
# GLIBC_ABI_DT_RELR and its like are demands on the loader, each newer than 2.34.
if grep -q '^GLIBC_ABI' <<<"$versions" || [[ $(printf '%s\n' "$newest" "$newest_glibc" | sort -V | tail -n 1) != "$newest_glibc" ]]; then
    fail "$bootstrap needs" "$(tail -n 3 <<<"$versions" | paste -sd' ')," \
        "and Amazon Linux 2023 ends at $newest_glibc: build on Debian 12 or older, for example by the Dockerfile"
fi

# Equal programs give equal zips: one name, one time, one mode, no owner.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install -m 755 "$bootstrap" "$work/bootstrap"
# The linker of Rust 1.95 leaves a symbol table of 2.5 MB there, whatever `strip` says in Cargo.toml.
"$strip" --strip-all "$work/bootstrap"
TZ=UTC touch -t 198001010000 "$work/bootstrap"
(cd "$work" && TZ=UTC zip -q -X -9 package.zip bootstrap)
# Deflated by a better compressor, where it is there: 3 % less to load at each cold start.
if command -v advzip >/dev/null; then
    advzip --quiet --keep-file-time --recompress --shrink-extra "$work/package.zip"
fi
unzip -Z "$work/package.zip" bootstrap | grep -q '^-rwxr-xr-x' || fail "bootstrap is not executable in $zip"
bytes=$(wc -c <"$work/package.zip")
((bytes <= most_bytes)) || fail "$zip would have $bytes bytes, and at most $most_bytes are allowed here"

# In one step, for a test or an upload may be reading the one before.
mv "$work/package.zip" "$zip.new"
mv "$zip.new" "$zip"
printf 'package.zip: %s, %s, at most %s, zip %d KiB, program %d KiB\n' \
    "$arch" provided.al2023 "$newest" $((bytes / 1024)) $(($(wc -c <"$work/bootstrap") / 1024))
