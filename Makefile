# The front door. `make help` lists what can be done; everything installs what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PRESET ?= release
SEEDS ?= 100
STATES ?= 20000
FROM ?= 1
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
INSTALL := tools/install.sh tools/packages.txt

.PHONY: build run install test interop simulate crash-states bench fuzz fmt tidy clean help dependencies dependencies-ci

dependencies:
	@$(INSTALL)

dependencies-ci: dependencies
	@tools/install.sh tools/packages-ci.txt

build/%/build.ninja: dependencies
	@[ -f $@ ] || cmake --preset $* >build-$*.log 2>&1 || { cat build-$*.log; rm -f build-$*.log; exit 1; }
	@rm -f build-$*.log

build: build/$(PRESET)/build.ninja ## build the optimised program: build/release/tailwater
	@cmake --build build/$(PRESET) --target tailwater -j $(JOBS)

run: build ## build, then start a broker on 127.0.0.1:9092 with its data under build/run
	@exec build/$(PRESET)/tailwater dev --data build/run

install: build ## install under PREFIX (/usr/local): program, man page, completions, systemd unit; DESTDIR is honoured
	@cmake --install build/$(PRESET) --prefix $(PREFIX) --strip

test: build/$(PRESET)/build.ninja ## build and run every unit, scenario and integration test
	@cmake --build build/$(PRESET) -j $(JOBS)
	@cmake --build build/$(PRESET) --target link_tests -j $(JOBS)
	@ctest --test-dir build/$(PRESET) --output-on-failure -j $(JOBS)

interop: build dependencies-ci ## run the suites of real Kafka clients against the program
	@tests/interop/run --start build/$(PRESET)/tailwater --shards 1,3

simulate: build/$(PRESET)/build.ninja ## run the simulator: make simulate SEEDS=100 FROM=1
	@cmake --build build/$(PRESET) --target simulate -j $(JOBS)
	@build/$(PRESET)/simulate --from $(FROM) --seeds $(SEEDS)

crash-states: build/$(PRESET)/build.ninja ## let the power go at every step: make crash-states STATES=20000 FROM=0
	@cmake --build build/$(PRESET) --target crash_states -j $(JOBS)
	@build/$(PRESET)/crash_states --from $(FROM) --states $(STATES)

bench: build dependencies-ci ## compare with other systems on this machine: what has no result yet; then docs/performance.md
	@cmake --build build/$(PRESET) --target load limit -j $(JOBS)
	@bench/run --tailwater build/$(PRESET)/tailwater
	@bench/page

fuzz: dependencies-ci build/fuzz/build.ninja ## fuzz wire and records: make fuzz FUZZ_SECONDS=3600
	@cmake --build build/fuzz -j $(JOBS)
	@tools/fuzz.sh build/fuzz $(FUZZ_SECONDS)

fmt: dependencies-ci ## format the sources
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format-19 -i

tidy: dependencies-ci ## check the house rules: format, file sizes, banned words, tests beside files
	@tools/tidy.sh

clean: ## remove everything that was built
	@rm -rf build

help: ## show this list
	@echo "Tailwater: an event-streaming broker that every Kafka client can use."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
