#!/usr/bin/env bash
# The one test command: prints each stage with its budget and the time it took, and what was run.
set -euo pipefail
cd "$(dirname "$0")/.."
passed=0
stage() { # name, budget in minutes, command...
    local name=$1 budget=$2 start=$SECONDS
    shift 2
    echo "== $name (budget $budget min): $*"
    timeout "$((budget * 60))" "$@" || { echo "== $name failed after $((SECONDS - start)) s"; echo "$passed passed, 1 failed"; exit 1; }
    passed=$((passed + 1))
    echo "== $name: $((SECONDS - start)) s of $((budget * 60)) s"
}
stage packages 10 bash scripts/packages.sh tshark
stage lint 25 bash scripts/lint.sh
stage tests "${TEST_MINUTES:-20}" cargo test --workspace --locked
echo "stages: $passed passed, 0 failed"
