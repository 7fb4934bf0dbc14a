# Line coverage of the host's unit tests, by source file and by folder: each test once more with gcc's counters and without the sanitizers (a
# source's counts are the sum over the tests that link it). The page with the sources: $(BUILD)/coverage/index.html.
DEPS_COVERAGE := gcovr
COVERAGE_BIN := $(UNIT_C:tests/unit/%.c=$(BUILD)/coverage/%)
COVERAGE_CFLAGS := -std=gnu11 -O0 -g -I. -I$(BUILD)/gen --coverage $(WARN) -Wno-missing-prototypes

.PHONY: coverage
coverage:
	@sh tests/tools/deps.sh $(DEPS_COVERAGE)
	@$(MAKE) --no-print-directory $(COVERAGE_BIN)
	@find $(BUILD)/coverage -name '*.gcda' -delete
	@set -e; for t in $(COVERAGE_BIN); do echo "== $$(basename $$t)"; $$t >$$t.log 2>&1 || { tail -n 20 $$t.log; exit 1; }; done
	@gcovr --root . --object-directory $(BUILD)/coverage $(BUILD)/coverage --exclude tests/ --exclude host/main.c --html-details $(BUILD)/coverage/index.html \
		--csv $(BUILD)/coverage/files.csv --txt $(BUILD)/coverage/files.txt
	@awk -F, -v all="$(wildcard boot/*.c mm/*.c vmm/*.c vmm/hw/*.c vmm/libc/*.c devices/*.c stream/*.c host/*.c)" -f tests/tools/coverage.awk $(BUILD)/coverage/files.csv

$(BUILD)/coverage/%: tests/unit/%.c $$(call unit_links,tests/unit/%.c) Makefile mk/coverage.mk
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(COVERAGE_CFLAGS) -MMD -MF $@.d -o $@ $< $(call unit_links,$<) $(call unit_libs,$<) -lcmocka

$(COVERAGE_BIN): | $(DSDT)

-include $(COVERAGE_BIN:=.d)
