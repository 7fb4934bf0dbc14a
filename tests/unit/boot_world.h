/* A few pages of physical memory, in which a test puts what a loader or firmware would have left there. */
#ifndef TESTS_UNIT_BOOT_WORLD_H
#define TESTS_UNIT_BOOT_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "boot/bootinfo.h"
#include "boot/view.h"
#include "vmm/log.h"

#define BASE 0x10000ull /* physical address of bytes[0] */
#define SIZE 0x4000
#define IMAGE_START 0x100000ull
#define IMAGE_END 0x140000ull

static uint8_t *bytes; /* on the heap and exactly so big: the address sanitizer sees what goes beyond */
static struct boot_info bi;
static unsigned warnings;

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)fmt;
	warnings += level <= LOG_WARN;
}

static const void *map(const struct boot_view *v, uint64_t address, uint64_t len)
{
	(void)v;
	return address >= BASE && address < BASE + SIZE && len <= BASE + SIZE - address ? bytes + (address - BASE) : NULL;
}

static const struct boot_view view = { .map = map, .image_start = IMAGE_START, .image_end = IMAGE_END };

static int setup(void **state)
{
	(void)state;
	bytes = calloc(1, SIZE);
	warnings = 0;
	return !bytes;
}

static int teardown(void **state)
{
	(void)state;
	free(bytes);
	return 0;
}

static void put32(uint64_t address, uint32_t v)
{
	memcpy(bytes + (address - BASE), &v, 4);
}

static void put64(uint64_t address, uint64_t v)
{
	memcpy(bytes + (address - BASE), &v, 8);
}

#endif
