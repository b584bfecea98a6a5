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
stage setup 10 bash scripts/setup.sh
stage lint 25 bash scripts/lint.sh
stage tests "${TEST_MINUTES:-26}" cargo test --workspace --exclude lab --locked
# The simulator, built as the lab has it: bugs on purpose first, for a checker that finds nothing proves nothing.
sim() { cargo run --quiet --locked --profile test --package tandem -- sim --threads "$(nproc)" "$@"; }
export -f sim
stage planted "${PLANTED_MINUTES:-10}" bash -c 'sim --planted all --seeds 300'
stage small "${SMALL_MINUTES:-10}" bash -c 'sim --small'
stage simulation "${SIMULATION_MINUTES:-20}" bash -c 'sim --pair --hours 72 --seeds "${TANDEM_PAIR_SEEDS:-2000}"'
# Real programs in namespaces: they wait more than they work.
stage lab "${LAB_MINUTES:-20}" cargo test --package lab --locked --lib --bins --test scenarios -- --test-threads "${LAB_THREADS:-6}"
stage pairs "${PAIR_MINUTES:-28}" cargo test --package lab --locked --test pairs -- --test-threads "${PAIR_THREADS:-12}"
echo "stages: $passed passed, 0 failed"
