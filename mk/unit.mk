# Host unit tests: tests/unit/test_*.c, each with cmocka, ASan and UBSan. A test names the files it links in a comment:
#   /* links: stream/cobs.c stream/crc32c.c */
# CODEC there stands for all of the codec.
UNIT_C := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_C:tests/unit/%.c=$(BUILD)/unit/%)
UNIT_CFLAGS := -std=gnu11 -O1 -g -I. -I$(BUILD)/gen -fsanitize=address,undefined -fno-sanitize-recover=all $(WARN) -Wno-missing-prototypes

unit: $(UNIT_BIN)
	@set -e; for t in $(UNIT_BIN); do echo "== $$(basename $$t)"; $$t; done

CODEC_C := $(filter-out stream/cobs.c stream/crc% stream/display% stream/link% stream/pace.c stream/proto.c,$(wildcard stream/*.c))
unit_links = $(wildcard $(subst CODEC,$(CODEC_C),$(shell sed -n 's/^.*links: *\(.*\) \*\/.*$$/\1/p' $(1))))
unit_libs = $(shell sed -n 's/^.*libs: *\([^*]*\)\*\/.*$$/\1/p' $(1))
.SECONDEXPANSION:
$(BUILD)/unit/%: tests/unit/%.c $$(call unit_links,tests/unit/%.c) Makefile mk/unit.mk
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(UNIT_CFLAGS) -MMD -MF $@.d -o $@ $< $(call unit_links,$<) $(call unit_libs,$<) -lcmocka

$(UNIT_BIN): | $(DSDT)

-include $(UNIT_BIN:=.d)

# A header that is gone but still named by an older build: what named it is built anew.
%.h: ;
