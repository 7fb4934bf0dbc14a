# Fuzzers: tests/fuzz/fuzz_NAME.c, each with clang's libFuzzer, ASan and UBSan; seeds in tests/fuzz/seeds/NAME. What is found on the way is kept
# in $(BUILD)/fuzz/corpus; an input that breaks something is left in $(BUILD)/fuzz and ends `make fuzz`. A comment names what is linked, as
# in unit tests.
DEPS_FUZZ := clang libclang-rt-14-dev
SECONDS ?= 60
FUZZ_NAME := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_NAME:%=$(BUILD)/fuzz/%)
FUZZ_CFLAGS := -std=gnu11 -O2 -g -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror

# The guest part: storms (tests/tools/storm.sh) for SECONDS in all, in the cells of CELLS_STORM in turn, with seeds from SEED on. What fails is told with
# its seed, and the next one runs.
CELLS_STORM ?= qemu-hap qemu-shadow bochs-hap bochs-shadow bochs-svm-hap bochs-svm-shadow
CASES ?= 100
SEED ?= $(shell date +%s)

.PHONY: fuzz fuzz-guest
fuzz-guest: all $(BUILD)/tests/pngcrc
	@bash tests/tools/storms.sh $(BUILD) $(SECONDS) $(SEED) $(CASES) $(CELLS_STORM)

fuzz: fuzz-guest
	@sh tests/tools/deps.sh $(DEPS_FUZZ)
	@$(MAKE) --no-print-directory $(FUZZ_BIN)
	@set -e; for name in $(FUZZ_NAME); do \
		mkdir -p $(BUILD)/fuzz/corpus/$$name; \
		$(BUILD)/fuzz/$$name -max_total_time=$(SECONDS) -max_len=16384 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/fuzz/$$name- $(BUILD)/fuzz/corpus/$$name tests/fuzz/seeds/$$name >$(BUILD)/fuzz/$$name.log 2>&1 || \
			{ tail -n 40 $(BUILD)/fuzz/$$name.log; echo "fuzz: $$name found something: $(BUILD)/fuzz/$$name-*"; exit 1; }; \
		echo "$$name: $$(sed -n 's/^stat::number_of_executed_units: *//p' $(BUILD)/fuzz/$$name.log) inputs in $(SECONDS) s, nothing found"; \
	done
	@$(MAKE) --no-print-directory fuzz-differ

$(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h) $$(call unit_links,tests/fuzz/fuzz_%.c) Makefile mk/fuzz.mk
	@mkdir -p $(@D)
	$(Q)clang $(FUZZ_CFLAGS) -MMD -MF $@.d -o $@ $< $(call unit_links,$<)

# Random programs that must end alike under nested paging, under shadow paging and on the bare emulator: as many as PROGRAMS, or for so
# long as SECONDS says if it is given.
PROGRAMS ?= 1000000
.PHONY: fuzz-differ
fuzz-differ: all
	@bash tests/tools/differ-many.sh $(BUILD) $(PROGRAMS) $(SEED) "$(if $(filter command,$(origin SECONDS)),$(SECONDS))"

-include $(FUZZ_BIN:=.d)
