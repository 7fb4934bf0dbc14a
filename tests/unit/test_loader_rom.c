/* Firmware images: what is taken for one, and where its bytes lie. */
/* links: vmm/loader_rom.c vmm/loader_linux.c vmm/loader_multiboot.c vmm/loader_elf.c vmm/loader_segments.c vmm/loader_place.c */
/* links: vmm/loader_mbi.c vmm/guest_mem.c tests/unit/loader_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/layout.h"
#include "tests/unit/loader_world.h"
#include "tests/unit/random.h"

#define UNIT 0x10000u

static uint8_t *image;

static struct loader_blob make(size_t len)
{
	free(image);
	image = malloc(len + !len);
	for (size_t i = 0; i < len; i++)
		image[i] = (uint8_t)(i * 7 + i / 256);
	if (len >= 16)
		memcpy(image + len - 16, "\xea\x5b\xe0\x00\xf0", 5); /* jmp far f000:e05b, as PCs always had it */
	return (struct loader_blob){ .data = image, .len = len };
}

static void known(void **state)
{
	static const struct {
		const char *bytes;
		bool rom;
	} vectors[] = {
		{ "\xea\x5b\xe0\x00\xf0\x00\x00\x00", true },  { "\xe9\x00\x10\x00\x00\x00\x00\x00", true },
		{ "\x90\x90\xe9\x3d\x10\x00\x00\x00", true },  { "\xfa\xfc\xeb\x10\x00\x00\x00\x00", true },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff", false }, { "\x00\x00\x00\x00\x00\x00\x00\x00", false },
		{ "\x90\x90\x90\x90\x90\x90\x90\x90", false }, { "\x00\xea\x5b\xe0\x00\xf0\x00\x00", false },
	};
	struct loader_blob b;

	(void)state;
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		b = make(4 * UNIT);
		memset(image + b.len - 16, 0, 16);
		memcpy(image + b.len - 16, vectors[i].bytes, 8);
		assert_int_equal(rom_is(&b), vectors[i].rom);
	}
	for (size_t units = 1; units <= 256; units *= 4) {
		b = make(units * UNIT);
		assert_true(rom_is(&b));
	}
	b = make(257 * UNIT);
	assert_false(rom_is(&b));
	b = make(UNIT + 16);
	assert_false(rom_is(&b));
	b = make(UNIT - 1);
	assert_false(rom_is(&b));
	b = make(0);
	assert_false(rom_is(&b));
	b = make(16);
	assert_false(rom_is(&b));
}

static void places(void **state)
{
	struct loader_in in = { .kernel = make(4 * UNIT) };
	struct loader_out out;
	uint8_t *top = aligned_alloc(PAGE, 4 * UNIT);

	(void)state;
	/* no memory up there yet */
	assert_int_equal(loader_rom(&mem, &in, &out, why, sizeof(why)), -ENOSPC);
	assert_non_null(strstr(why, "0x40000"));
	assert_int_equal(guest_mem_add(&mem, GUEST_ROM_END - 4 * UNIT, 4 * UNIT, (uint64_t)(uintptr_t)top), 0);
	memset(ram, 0, 0x100000);
	assert_int_equal(loader_rom(&mem, &in, &out, why, sizeof(why)), 0);
	assert_true(out.reset_vector);
	assert_memory_equal(top, image, 4 * UNIT);
	assert_memory_equal(ram + 0xe0000, image + 2 * UNIT, 2 * UNIT);
	assert_int_equal(ram[0xdffff], 0);
	in.kernel = make(UNIT); /* all of a short one */
	assert_int_equal(loader_rom(&mem, &in, &out, why, sizeof(why)), 0);
	assert_memory_equal(top + 3 * UNIT, image, UNIT);
	assert_memory_equal(ram + 0xf0000, image, UNIT);
	(void)guest_mem_remove(&mem, GUEST_ROM_END - 4 * UNIT);
	free(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
