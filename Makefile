# Every command does its own set-up on a fresh Debian 12 with the Rust toolchain, as root.
.PHONY: test lint nightly bench demo

# Lint, then every test. Ends within the budgets that it prints.
test:
	@bash scripts/test.sh

# Formatting, clippy, documentation, licences and sources of dependencies.
lint:
	@bash scripts/lint.sh

# The same tests with far more cases.
nightly:
	@TEST_MINUTES=420 PROPTEST_CASES=100000 TANDEM_FUZZ_ITERATIONS=1000000000 TANDEM_SIM_SEEDS=20000 TANDEM_PAIR_SEEDS=20000 SIMULATION_MINUTES=180 bash scripts/test.sh

# What Tandem costs, beside other servers in the same run: `scripts/bench.sh` says what can be asked of it.
bench:
	@bash scripts/bench.sh $(SERVERS)

# Two servers, real clients, kill -9 of one, then its disk is lost: nobody loses an address. Three minutes after the build.
demo:
	@bash scripts/setup.sh
	@cargo run --quiet --locked --profile test --package lab --bin demo
