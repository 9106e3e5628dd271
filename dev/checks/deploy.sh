#!/usr/bin/env bash
# deploy.sh: the templates in deploy/, by cfn-lint, against the code, and the Terraform module against them. Needs what
# dev/scripts/setup.sh installs.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=$PWD/.test/venv/bin
"$venv/cfn-lint" deploy/*.yaml
"$venv/python" dev/checks/deploy.py
