#!/usr/bin/env bash
# setup.sh [PROGRAM…]: installs what the tests need beside Rust, and programs that packages are named after. Does nothing
# where all is there; names what it cannot install.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=$PWD/.test/venv
more=("$@")
# sshd and sftp-server live where a PATH seldom looks.
PATH=$PATH:/usr/sbin:/usr/lib/openssh:/usr/libexec/openssh:/usr/libexec

has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
has() {
    case $1 in
        python3-venv) has_venv ;;
        mod_sftp) compgen -G '/usr/lib*/proftpd/mod_sftp.so' >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}
missing() { # prints "PROGRAM PACKAGE" of each that is not there
    local program package
    for program in "${more[@]}"; do
        has "$program" || printf '%s %s\n' "$program" "$program"
    done
    while read -r program package; do
        has "$program" || printf '%s %s\n' "$program" "$package"
    done <<'LIST'
cc gcc
ssh openssh-client
sftp openssh-client
ssh-keygen openssh-client
sshd openssh-server
sftp-server openssh-sftp-server
openssl openssl
proftpd proftpd-core
mod_sftp proftpd-mod-crypto
rclone rclone
puttygen putty-tools
useradd passwd
zip zip
unzip unzip
advzip advancecomp
readelf binutils
python3 python3
python3-venv python3-venv
LIST
}

install_packages() {
    local root=()
    command -v apt-get >/dev/null || return 1
    if ((EUID != 0)); then
        command -v sudo >/dev/null || return 1
        root=(sudo)
        # Nobody is there to type a password.
        [[ -t 0 ]] || root+=(-n)
    fi
    printf 'installing %s\n' "$*"
    "${root[@]}" apt-get -q update &&
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
}

lacking=$(missing)
if [[ -n $lacking ]]; then
    mapfile -t packages < <(awk '{ print $2 }' <<<"$lacking" | sort -u)
    # Its output matters only where it fails.
    if ! log=$(install_packages "${packages[@]}" 2>&1); then
        printf '%s\n' "$log" | tail -n 20 >&2
    fi
    lacking=$(missing)
    if [[ -n $lacking ]]; then
        printf 'setup: these are missing and could not be installed:\n' >&2
        awk '{ printf "  %s (Debian: apt-get install %s)\n", $1, $2 }' <<<"$lacking" >&2
        exit 1
    fi
    printf 'installed: %s\n' "${packages[*]}"
fi

# sshd started as root drops its rights in this directory; only Debian's service file makes it.
if ((EUID == 0)); then
    mkdir -p /run/sshd
fi

# The list of what is in there is the list of what was asked for, or it is made anew.
if ! cmp -s dev/requirements.txt "$venv/requirements.txt"; then
    printf 'installing dev/requirements.txt into .test/venv\n'
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r dev/requirements.txt
    cp dev/requirements.txt "$venv/requirements.txt"
fi
for program in ministack aws cfn-lint; do
    [[ -x $venv/bin/$program ]] || {
        printf 'setup: %s is missing in .test/venv: remove .test and try again\n' "$program" >&2
        exit 1
    }
done
