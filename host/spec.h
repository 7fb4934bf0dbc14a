/* The small languages of the options: heads, line errors, addresses, numbers. Pure functions; errors are sentences. */
#ifndef HOST_SPEC_H
#define HOST_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "host/faults.h"
#include "stream/display.h"

struct head_spec {
	unsigned count;
	struct {
		uint16_t width, height;
	} head[DISPLAY_HEADS];
};

/**
 * Reads `N`, `WxH,WxH,...` or `none`. N heads are 1024x768 each.
 * Returns 0, or -EINVAL with a sentence in *why (static, or in a static buffer until the next call).
 */
int spec_heads(const char *s, struct head_spec *out, const char **why);

/** Writes heads as the VMM's command line has them: "1024x768,640x480" or "none". out has room for SPEC_HEADS_TEXT bytes. */
#define SPEC_HEADS_TEXT (DISPLAY_HEADS * 12 + 8)
void spec_heads_text(const struct head_spec *h, char *out);

/** Reads `flip=P,drop=P,dup=P,burst=P,cut=DURATION,stall=DURATION,seed=N`. Returns 0 or -EINVAL with *why. */
int spec_faults(const char *s, struct fault_rates *out, const char **why);

/** Reads a whole decimal or 0x number in [min, max]. Returns 0 or -EINVAL. */
int spec_number(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/** Reads ADDR:PORT, :PORT or PORT; an IPv4 address, 127.0.0.1 where it is missing. addr has room for 16 bytes. Returns 0 or
 * -EINVAL. */
int spec_listen(const char *s, char addr[16], uint16_t *port);

#endif
