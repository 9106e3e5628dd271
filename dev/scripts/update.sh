#!/usr/bin/env bash
# update.sh ARN ARCH ZIP: puts the zip into the function, and moves a function off the old Python runtime first.
#
# A function whose configuration is switched and whose code is not fails at every event. So whatever can be known
# beforehand is asked beforehand, and if the code does not arrive the configuration goes back to what it was.
# Its environment variables are never sent, and nothing of them is printed.
set -euo pipefail
cd "$(dirname "$0")/../.."

arn=$1
arch=$2
zip=$3
aws=${AWS_CLI:-aws}
runtime=provided.al2023
handler=bootstrap
# Version 2 would show its answers in a pager.
export AWS_PAGER=''

say() { printf '%s\n' "$*"; }
fail() {
    printf 'make update: %s\n' "$*" >&2
    exit 1
}

if ! [[ $arn =~ ^arn:aws[a-z-]*:lambda:([a-z0-9-]+):[0-9]{12}:function:([A-Za-z0-9_-]+)$ ]]; then
    fail "ARN is '${arn:-not given}'; give the function's, without version or alias:" \
        'make update ARN=arn:aws:lambda:REGION:ACCOUNT:function:NAME'
fi
region=${BASH_REMATCH[1]}
name=${BASH_REMATCH[2]}
command -v "$aws" >/dev/null || fail "the AWS command line ($aws) is missing"

lambda() { "$aws" lambda "$@" --region "$region"; }
configuration() {
    lambda get-function-configuration --function-name "$arn" --output text --query \
        '[PackageType, Runtime, Handler, Architectures[0], LastUpdateStatus, CodeSha256, Timeout, MemorySize]'
}
switch() { # RUNTIME HANDLER
    lambda update-function-configuration --function-name "$arn" --runtime "$1" --handler "$2" --query FunctionName >/dev/null
}
# Asks every 5 s, at most 60 times.
wait_until_updated() { lambda wait function-updated --function-name "$arn"; }

now=$(configuration) || fail "cannot read the configuration of $name"
read -r type old_runtime old_handler old_arch status _ timeout memory <<<"$now"
[[ $type != Image ]] || fail "$name is made of a container image, and those take no zip"

dev/scripts/package.sh "$arch" "$zip"

say "$name in $region"
changed=no
change() { # WHAT OLD NEW
    if [[ $2 != "$3" ]]; then
        changed=yes
        say "  $1: $2 → $3"
    fi
}
change runtime "$old_runtime" "$runtime"
change handler "$old_handler" "$handler"
switch_needed=$changed
change architecture "$old_arch" "$arch"
[[ $changed == yes ]] || say '  runtime, handler and architecture stay'

[[ $status != InProgress ]] || wait_until_updated || fail "another update of $name is under way and does not end"

code=(--function-name "$arn" --zip-file "fileb://$zip" --architectures "$arch")
# Finds a permission that is missing while nothing is changed yet.
lambda update-function-code "${code[@]}" --dry-run --query CodeSize >/dev/null ||
    fail 'the new code would be refused; nothing was changed'

roll_back() {
    say "the code was not updated: putting runtime $old_runtime and handler $old_handler back" >&2
    if switch "$old_runtime" "$old_handler" && wait_until_updated; then
        say "$name is as it was before" >&2
    else
        printf '%s\n' "NOT put back: $name fails at every event until you run" \
            "  aws lambda update-function-configuration --region $region --function-name $arn --runtime $old_runtime --handler $old_handler" >&2
    fi
}

code_before=
on_exit() {
    local result=$?
    trap - EXIT
    # Also on ^C. What counts is what the function has, not what was answered: an answer may be lost.
    if ((result != 0)) && [[ -n $code_before ]]; then
        local type status sha
        read -r type _ _ _ status sha _ < <(configuration || true) || true
        if [[ ${sha:-$code_before} == "$code_before" || ${status:-} == Failed ]]; then
            roll_back
        else
            say "the new code is there, though a call failed (its update: ${status:-unknown}): run make update again" >&2
        fi
    fi
    exit "$result"
}

if [[ $switch_needed == yes ]]; then
    say '  switching; events of these seconds fail, and Lambda tries them again a minute later unless its retries are 0'
    trap on_exit EXIT
    trap 'exit 130' INT TERM
    # Set before the call, whose answer may be lost as well.
    code_before=$(configuration | cut -f 6)
    switch "$runtime" "$handler"
    wait_until_updated
fi
lambda update-function-code "${code[@]}" --query CodeSize >/dev/null
wait_until_updated
code_before=

now=$(configuration)
read -r _ new_runtime new_handler new_arch status sha _ <<<"$now"
say "  now: runtime $new_runtime, handler $new_handler, architecture $new_arch, code $sha, ${status,,}"
say "  kept: environment variables, time-out ($timeout s), memory ($memory MB), role, triggers"
