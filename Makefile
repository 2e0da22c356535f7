# `make help` says what there is.
VENV := .venv
PYTHON := $(VENV)/bin/python
# clang, under whatever name the distribution gives it; libFuzzer comes with its runtime.
CLANGS := clang clang-18 clang-17 clang-16 clang-15 clang-14
FUZZ_CC := $(firstword $(shell for name in $(CLANGS); do command -v $$name; done) clang)

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -g
NATIVE_TESTS := tests/unit/test_native.py tests/property/test_source_lists.py \
	tests/property/test_checksum.py tests/property/test_classifier.py \
	tests/unit/test_native_packing.py tests/unit/test_native_ring.py \
	tests/property/test_record_table.py
FUZZ_SECONDS ?= 60
FUZZ_LENGTH ?= 512
# Where memory was had from is not kept: without it ten times as many inputs are tried.
FUZZ_ASAN := ASAN_OPTIONS=malloc_context_size=0:quarantine_size_mb=4
FUZZ_TARGETS := source_lists normalise checksum classifier ring streams
FUZZ_SOURCES := checksum classifier cpu ring source_list source_list_avx2 source_list_sort streams

.PHONY: help setup setup-test demo test kernels supported check bench lint native-lint sanitize fuzz fuzz-guided mutation twins chaos soak measures \
	deb image wheel sbom packages-test completions dashboards site clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make setup        installs what is missing, builds, makes .venv
setup:
	@deploy/setup.sh

## make demo         a lab of network namespaces: a kernel querier, a host run by mcastd, live events
demo: setup
	@$(VENV)/bin/mcastd lab $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS))

## make test         the whole test suite; needs root for all of it, and skips what it cannot do
test: setup-test lint
	$(PYTHON) -m pytest

## make check        the part that needs no privileges: lint, types, unit, property, conformance
check: setup-test lint
	$(PYTHON) -m pytest -m "not bpf and not lab and not kernels"

## make kernels      all of it on other kernels, in virtual machines; KERNELS="6.1 6.12 newest"; hours
kernels: setup-test
	MCASTD_KERNELS="$(or $(KERNELS),all)" $(PYTHON) -m pytest -s -v tests/kernels; \
		result=$$?; PYTHONPATH=tests $(PYTHON) -m support.supported; exit $$result

## make supported    takes over what was tried into docs/supported.md
supported:
	@PYTHONPATH=tests $(PYTHON) -m support.supported

## make bench        the benchmarks; a table, and build/bench.json
bench:
	@deploy/setup.sh --test --bench
	@$(VENV)/bin/mcastd bench $(BENCH)

## make deb          Debian packages for the release of Debian that this is, in build/deb
deb: setup
	@deploy/deb.sh

## make image        the image of a container without compiler, LLVM and root's rights, in build/image; needs root
image:
	@deploy/setup.sh --image
	@deploy/image.sh

## make wheel        a wheel that needs neither compiler nor bcc, in build/wheel
wheel: setup
	@deploy/wheel.sh

## make sbom         what an installed mcastd consists of, in CycloneDX: build/mcastd.cdx.json
sbom:
	@deploy/sbom.sh

## make packages-test    builds and tries the packages in trees of Debian 12 and 13; minutes
packages-test: setup-test
	MCASTD_PACKAGES=all $(PYTHON) -m pytest -v tests/packages

## make completions  the files for bash, zsh and fish anew, and the pages of docs/ made from the code
completions: setup-test
	$(PYTHON) deploy/completions/make.py
	PYTHONPATH=tests $(PYTHON) -m support.pages

## make dashboards   Grafana's dashboards anew, and their pictures from a Prometheus in the lab
dashboards: setup-test
	$(PYTHON) deploy/grafana/make.py
	MCASTD_PICTURES=docs/dashboards $(PYTHON) -m pytest -q tests/lab/test_lab_dashboards.py

## make site         the documentation, to be read with a browser: build/site/index.html
site:
	@deploy/setup.sh --site
	@mkdocs build --quiet --strict
	@echo build/site/index.html

setup-test:
	@deploy/setup.sh --test

lint: native-lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

## make native-lint  the C module with every warning an error; the form of all C, by clang-format 14
native-lint:
	@! command -v clang-format-14 >/dev/null || clang-format-14 --dry-run -Werror native/*.[ch] bpf/*.[ch]
	@for file in native/*.c; do \
		$(CC) -std=gnu11 -O3 -Wall -Wextra -Wconversion -Wshadow -Werror -Inative -Ibpf \
			$$($(PYTHON) -c 'import sysconfig; print("-I" + sysconfig.get_path("include"))') \
			-c -o /dev/null $$file || exit 1; \
	done

## make sanitize     the C module's tests under AddressSanitizer and UBSan
sanitize:
	CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" $(PYTHON) setup.py -q build \
		--build-base build/sanitize --build-lib build/sanitize/lib
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONMALLOC=malloc \
	PYTHONPATH=build/sanitize/lib $(PYTHON) -m pytest -q -p no:cacheprovider \
		-k "not memory_that_is_not_there" $(NATIVE_TESTS)

## make fuzz         the C module's fuzz targets (needs clang), Python's parsers, and the programs in
##                   the kernel (needs root); FUZZ_SECONDS for each target
fuzz: $(FUZZ_TARGETS:%=build/fuzz/%)
	for target in $(FUZZ_TARGETS); do \
		mkdir -p build/fuzz/corpus/$$target && \
		$(FUZZ_ASAN) build/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -max_len=$(FUZZ_LENGTH) \
			-verbosity=0 -print_final_stats=1 build/fuzz/corpus/$$target \
			tests/fuzz/corpus/$$target || exit 1; \
	done
	$(PYTHON) tests/fuzz/parsers.py $(FUZZ_SECONDS)
	test $$(id -u) != 0 || $(PYTHON) tests/fuzz/kernel_classifier.py

## make fuzz-guided  one of Python's parsers by atheris (the extra "fuzz"): TARGET=frames FUZZ_SECONDS=N
fuzz-guided:
	@deploy/setup.sh --test --fuzz
	mkdir -p build/fuzz/corpus/$(TARGET)
	$(PYTHON) tests/fuzz/guided.py $(TARGET) -max_total_time=$(FUZZ_SECONDS) -verbosity=0 \
		-print_final_stats=1 build/fuzz/corpus/$(TARGET)

build/fuzz/%: tests/fuzz/%.c tests/fuzz/model.h native/*.c native/*.h
	mkdir -p build/fuzz
	$(FUZZ_CC) -std=gnu11 -O2 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -Inative -Ibpf -Itests/fuzz -o $@ $< \
		$(FUZZ_SOURCES:%=native/%.c)

## make mutation     breaks the engine rule by rule: the conformance suite must notice; minutes
mutation: setup-test
	$(PYTHON) tests/mutation/run.py

## make twins        random stories with the kernel alone and beside the agent; ROUNDS=N SEED=M,
##                   SEEDS=K, TOGETHER=J side by side, ROUTER=frr, STORY=FILE for one that was kept
ROUNDS ?= 100
SEED ?= 1
SEEDS ?= 1
TOGETHER ?= 4
ROUTER ?= bridge
twins: setup-test
	$(PYTHON) tests/twins/run.py --rounds $(ROUNDS) --seed $(SEED) --seeds $(SEEDS) \
		--together $(TOGETHER) --router $(ROUTER) $(STORY:%=--story %)

## make chaos        faults and wishes at random, judged by a bridge and FRR; SECONDS=N SEED=M SEEDS=COUNT
SECONDS ?= 60
SEEDS ?= 1
chaos: setup-test
	$(PYTHON) tests/chaos/run.py --seconds $(SECONDS) --seed $(SEED) --seeds $(SEEDS) \
		$(if $(STORY),--again $(STORY))

## make measures     lengths of functions, Any, remarks, circles, repeated lines; COVERAGE=FILE of a run
measures:
	@PYTHONPATH=tests $(PYTHON) -m support.measures $(COVERAGE:%=--coverage %)

## make soak         weeks on a clock of its own, then SECONDS of real time in the lab, with a plot
soak:
	@deploy/setup.sh --test $(if $(PLOT),--bench)
	$(PYTHON) tests/soak/weeks.py
	$(PYTHON) tests/soak/hour.py $(SECONDS) $(SEED) $(PLOT)

clean:
	rm -rf build $(VENV) *.egg-info
