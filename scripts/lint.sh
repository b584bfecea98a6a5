#!/usr/bin/env bash
# Formatting, clippy, documentation, licences and sources of dependencies; stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
run() { echo "+ $*"; "$@"; }
run cargo fmt --all --check
run cargo clippy --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" run cargo doc --workspace --no-deps --locked --quiet
if ! command -v cargo-deny > /dev/null; then
    run cargo install cargo-deny --version 0.20.2 --locked --quiet
fi
run cargo deny --log-level error check bans licenses sources
