/* How the readers of boot structures reach memory that somebody else filled. Tests put their own bytes behind it. */
#ifndef BOOT_VIEW_H
#define BOOT_VIEW_H

#include <stdint.h>

struct boot_view {
	/** A pointer to [address, address + len), or NULL when not all of it can be read. */
	const void *(*map)(const struct boot_view *v, uint64_t address, uint64_t len);
	uint64_t image_start, image_end; /* of the VMM, physical */
};

/** All that the early identity map reaches: [1, 4 GiB). */
extern const struct boot_view boot_view_machine;

#endif
