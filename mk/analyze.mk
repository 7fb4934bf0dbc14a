# gcc -fanalyzer over the VMM and the host command, as part of `make lint`: a stamp for each source that has no finding.
# What the command allocates for its whole life is left to its end: that is no leak there.
ANALYZE_VMM := $(VMM_C:%.c=$(BUILD)/analyze/vmm/%.ok)
ANALYZE_HOST := $(patsubst %.c,$(BUILD)/analyze/host/%.ok,$(wildcard host/*.c))

.PHONY: analyze
analyze: $(ANALYZE_VMM) $(ANALYZE_HOST)

# GCC 12 takes the logarithm of how many elements a vector has for their width, and finds shifts of them too far.
$(VMM_CODEC:%=$(BUILD)/analyze/vmm/stream/%.ok): ANALYZE_VECTORS := -Wno-analyzer-shift-count-overflow

$(BUILD)/analyze/vmm/%.ok: %.c mk/analyze.mk | $(DSDT)
	@mkdir -p $(@D)
	$(Q)$(CC_VMM) $(VMM_CFLAGS) -fanalyzer $(ANALYZE_VECTORS) -MMD -MP -MT $@ -MF $(@:.ok=.d) -c $< -o /dev/null && touch $@

$(BUILD)/analyze/host/%.ok: %.c mk/analyze.mk
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) $(HOST_PKG_CFLAGS) -DTESSERA_VERSION='""' -fanalyzer -Wno-analyzer-malloc-leak -MMD -MP -MT $@ -MF $(@:.ok=.d) -c $< \
		-o /dev/null && touch $@

-include $(ANALYZE_VMM:.ok=.d) $(ANALYZE_HOST:.ok=.d)
