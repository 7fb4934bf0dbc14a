#include "vmm/wall.h"

#include <stdio.h>

#include "boot/image.h"
#include "mm/audit.h"
#include "mm/frames.h"
#include "mm/map.h"
#include "mm/shadow.h"
#include "stream/crc32c.h"
#include "vmm/log.h"
#include "vmm/vm.h"
#include "vmm/watchdog.h"

static struct {
	bool on;
	uint32_t image;
	uint64_t checks, leaves;
	uint64_t wrong_bytes; /* of the canary's count, those that were told of */
	uint64_t wrong_entries, wrong_images;
} wall;

static uint32_t image_sum(void)
{
	return crc32c(0, image_start, (uintptr_t)image_rodata_end - (uintptr_t)image_start);
}

void wall_begin(bool canary)
{
	wall.on = canary;
	if (!canary)
		return;
	frames_canary_begin();
	wall.image = image_sum();
}

static void check_memory(void)
{
	const struct frames_canary *c = frames_canary_check();

	if (c->wrong != wall.wrong_bytes)
		log_error("wall: %llu bytes of the VMM's free memory were written",
			  (unsigned long long)(c->wrong - wall.wrong_bytes));
	wall.wrong_bytes = c->wrong;
	if (image_sum() != wall.image) {
		log_error("wall: the VMM's text or constants changed");
		wall.wrong_images++;
	}
}

void wall_check(const struct vm *vm, bool memory)
{
	struct audit a = { 0 };

	watchdog_pause(true);
	wall.checks++;
	if (wall.on && memory)
		check_memory();
	if (vm->mem.shadow)
		audit_shadow(vm->mem.shadow, &a);
	else
		audit_slat(&vm->slat, &vm->mem, &a);
	if (a.wrong)
		log_error("wall: %llu entries of the guest's tables lead astray, the first at %016llx: %016llx",
			  (unsigned long long)a.wrong, (unsigned long long)a.where, (unsigned long long)a.entry);
	wall.leaves += a.leaves;
	wall.wrong_entries += a.wrong + map_audit();
	watchdog_pause(false);
}

size_t wall_stats(char *buf, size_t size)
{
	const struct frames_canary *c = frames_canary();
	int n = snprintf(buf, size,
			 "{\"canary\":%s,\"wall_checks\":%llu,\"wall_bytes\":%llu,\"wall_wrong_bytes\":%llu,\"wall_leaves\":%llu,"
			 "\"wall_wrong_entries\":%llu,\"wall_wrong_images\":%llu}",
			 wall.on ? "true" : "false", (unsigned long long)wall.checks, (unsigned long long)c->bytes,
			 (unsigned long long)c->wrong, (unsigned long long)wall.leaves, (unsigned long long)wall.wrong_entries,
			 (unsigned long long)wall.wrong_images);

	return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}
