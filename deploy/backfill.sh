#!/usr/bin/env bash
# backfill.sh FUNCTION_ARN s3://BUCKET/PREFIX/ s3://JOBS_BUCKET/PREFIX/ ROLE_ARN
#
# Lists what lies below the first prefix, puts the list below the second one, and makes a job of S3 Batch Operations that
# invokes the function for each object of it. The job's report goes below the second prefix, too. docs/backfill.md has the role.
# AWS_CLI names the AWS command line.
set -euo pipefail

aws=${AWS_CLI:-aws}
# Version 2 would show its answers in a pager.
export AWS_PAGER=''

fail() {
    printf 'backfill: %s\n' "$*" >&2
    exit 1
}

(($# == 4)) || fail 'give four arguments: FUNCTION_ARN s3://BUCKET/PREFIX/ s3://JOBS_BUCKET/PREFIX/ ROLE_ARN'
function=$1
role=$4
[[ $function =~ ^arn:(aws[a-z-]*):lambda:([a-z0-9-]+):([0-9]{12}):function:[A-Za-z0-9_-]+(:[A-Za-z0-9_\$-]+)?$ ]] ||
    fail "'$function' is no function's ARN"
partition=${BASH_REMATCH[1]}
region=${BASH_REMATCH[2]}
account=${BASH_REMATCH[3]}
[[ $role =~ ^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$ ]] || fail "'$role' is no role's ARN"
place() { # ARGUMENT: bucket and prefix
    [[ $1 =~ ^s3://([a-z0-9.-]+)/(.*)$ ]] || fail "'$1' is not s3://BUCKET/PREFIX/ (the whole bucket: s3://BUCKET/)"
    bucket=${BASH_REMATCH[1]} prefix=${BASH_REMATCH[2]}
}
place "$3"
jobs_bucket=$bucket jobs_prefix=$prefix
[[ -z $jobs_prefix || $jobs_prefix == */ ]] || jobs_prefix+=/
[[ $jobs_prefix =~ ^[A-Za-z0-9/_.-]*$ ]] || fail "'$3': letters, digits and /_.- only"
place "$2"
[[ $jobs_bucket != "$bucket" || $jobs_prefix != "$prefix"* ]] ||
    fail "$3 is below $2: the list itself would be sent to the partner"

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
manifest=$directory/manifest.csv

# Asked for by name, the encoding is S3's own, and the command line does not undo it. There a blank is a plus and a plus is
# %2B; with %20 the list means the same to everybody. Folder markers are left out.
"$aws" s3api list-objects-v2 --region "$region" --bucket "$bucket" --prefix "$prefix" --encoding-type url \
    --query 'Contents[].[Size, Key]' --output text |
    awk -F '\t' -v bucket="$bucket" \
        'NF == 2 && !($1 == 0 && $2 ~ /(\/|%2F)$/) { gsub(/[+]/, "%20", $2); print bucket "," $2 }' >"$manifest"
count=$(wc -l <"$manifest")
((count > 0)) || fail "nothing lies below $2"

name=${jobs_prefix}backfill-$(date -u +%Y%m%dT%H%M%SZ)-$$
etag=$("$aws" s3api put-object --region "$region" --bucket "$jobs_bucket" --key "$name/manifest.csv" --body "$manifest" \
    --query ETag --output text)
etag=${etag//\"/}

job=$("$aws" s3control create-job --region "$region" --account-id "$account" --role-arn "$role" --priority 10 \
    --no-confirmation-required --description "$count objects of s3://$bucket to the partner" \
    --operation "{\"LambdaInvoke\":{\"FunctionArn\":\"$function\",\"InvocationSchemaVersion\":\"2.0\"}}" \
    --manifest "{\"Spec\":{\"Format\":\"S3BatchOperations_CSV_20180820\",\"Fields\":[\"Bucket\",\"Key\"]},\"Location\":{\"ObjectArn\":\"arn:$partition:s3:::$jobs_bucket/$name/manifest.csv\",\"ETag\":\"$etag\"}}" \
    --report "{\"Enabled\":true,\"Bucket\":\"arn:$partition:s3:::$jobs_bucket\",\"Prefix\":\"$name\",\"Format\":\"Report_CSV_20180820\",\"ReportScope\":\"AllTasks\"}" \
    --query JobId --output text)

printf '%s\n' "job $job: $count objects of $2" \
    "  list and report: s3://$jobs_bucket/$name/" \
    "  how far it is:   $aws s3control describe-job --region $region --account-id $account --job-id $job" \
    "  to stop it:      $aws s3control update-job-status --region $region --account-id $account --job-id $job --requested-job-status Cancelled"
