# Everything starts here; each line is a command that also works by hand.

CARGO ?= cargo
# Seconds for each fuzz target.
FUZZ_SECONDS ?= 600
# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

# The story that `make sim` tells (of tables with so many copies; NEAR=1: near ones; LOADS=1: of tables that lookups fill), the order of the faults of
# `make chaos`, and how long these go on.
SEED ?= 0
COPIES ?= 2
NEAR ?= 0
LOADS ?= 0
MINUTES ?= 30

.PHONY: all demo test sim chaos test-hosts bench fuzz install setup clean

all:
	$(CARGO) build --release

# A farm on loopback with SIP calls, told as it happens.
demo:
	scripts/setup build demo
	$(CARGO) build --release
	$(CARGO) run --release --quiet --example demo

test:
	scripts/setup build test
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) build
	$(CARGO) test --release --test promises --test near_promises --test load_promises
	$(CARGO) test --no-fail-fast
	$(CARGO) test --features inject-panics --target-dir $(TARGET)/panics --test loading
	fuzz/run 5

# One seed of the simulated farm, line by line. More seeds: SIM_SEEDS=1000000 cargo test --release --test promises
sim:
	@$(CARGO) run --release --quiet --example simulate -- $(SEED) $(COPIES) $(NEAR) $(LOADS)

# A real farm under load, one fault after the other, and a judge. FAULTS=KillEmpty,CutOne tries some kinds only; COPIES=1
# gives the same tables one copy.
chaos:
	scripts/setup build demo
	$(CARGO) build --release
	SEED=$(SEED) MINUTES=$(MINUTES) COPIES=$(COPIES) $(CARGO) run --release --quiet --example chaos

# The same module in Kamailio 5.6 (this machine's), 6.0 and 6.1 (throw-away root directories, see scripts/hosts).
test-hosts:
	scripts/setup build test hosts
	$(CARGO) build
	roots=$$(scripts/hosts) && KAMAILIO_ROOTS="$$roots" $(CARGO) test --test hosts

bench:
	scripts/setup build bench
	$(CARGO) build --release
	$(CARGO) bench

fuzz:
	fuzz/run $(FUZZ_SECONDS)

# MODULES_DIR=/dir, SHARE_DIR=/dir and DESTDIR=/dir are heeded.
install: all
	scripts/install $(TARGET)/release/libshardcache.so

setup:
	scripts/setup build demo test bench hosts

clean:
	$(CARGO) clean
	rm -rf bench-out
