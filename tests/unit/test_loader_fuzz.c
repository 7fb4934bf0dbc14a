/* The guest loader and damage at random: a load ends in a sentence, or in a guest whose information is whole. */
/* links: vmm/loader_multiboot.c vmm/loader_elf.c vmm/loader_segments.c vmm/loader_place.c vmm/loader_mbi.c vmm/guest_mem.c */
/* links: tests/unit/loader_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/loader_world.h"
#include "tests/unit/random.h"

/* A load of hostile bytes ends in a sentence, or in a guest whose information is whole. Files are of exact size, for ASan. */
static bool survive(const uint8_t *data, size_t len, struct rng *r)
{
	static uint8_t module[300];
	uint8_t *exact = malloc(len ? len : 1);
	struct loader_blob modules[3] = { blob(module, sizeof(module), "m"), blob(module, 0, NULL), blob(module, 7, "n n") };
	struct loader_in in = {
		.kernel = blob(exact, len, "k"),
		.modules = modules,
		.module_count = rng_below(r, 4),
		.map = map,
		.map_count = 4,
		.fb_width = rng_below(r, 2),
	};
	struct loader_out out;

	memset(module, 0x77, sizeof(module));
	memcpy(exact, data, len);
	memset(why, '#', sizeof(why));
	int err = loader_multiboot(&mem, &in, &out, why, sizeof(why));

	assert_non_null(memchr(why, 0, sizeof(why)));
	assert_true(err == 0 || err == -EINVAL || err == -ENOEXEC || err == -ENOSPC);
	assert_int_equal(err == 0, why[0] == 0);
	if (!err) {
		assert_true(out.entry < RAM);
		check_info(&in, &out, (struct range){ out.entry, out.entry + 1, "entry point" });
	}
	free(exact);
	return !err;
}

static void mutated(void **state)
{
	struct rng r = rng_seed(13);
	unsigned good = 0;

	(void)state;
	for (unsigned round = 0; round < 60000; round++) {
		static const uint64_t absurd[] = { 0,	       1,	 0x7fffffff, 0x80000000, 0xffffffff,
						   0xfffff000, 0x100000, 0x9ffff,    0xffff,	 ~0ull };
		struct image im = round % 3 == 0 ? usual_elf(32) : usual_elf(64);
		size_t len = im.len;

		if (round % 3 == 2)
			kludge(im.data + 0x200, 0x100080, 0x100000, 0x101000, 0x102000, 0x100000);
		for (unsigned n = 1 + rng_below(&r, 4); n; n--) {
			/* the headers are where the decisions are */
			size_t at = rng_once_in(&r, 3) ? 0x200 + rng_below(&r, 32) : rng_below(&r, rng_once_in(&r, 2) ? 64 : 200);
			uint64_t v = absurd[rng_below(&r, sizeof(absurd) / sizeof(absurd[0]))];

			switch (rng_below(&r, 4)) {
			case 0: im.data[at] ^= (uint8_t)(1u << rng_below(&r, 8)); break;
			case 1: im.data[at] = (uint8_t)rng_next(&r); break;
			case 2: memcpy(im.data + (at & ~3ull), &v, 4); break;
			default: memcpy(im.data + (at & ~7ull), &v, 8); break;
			}
		}
		if (rng_once_in(&r, 2)) { /* give damaged flags a checksum that fits */
			uint32_t flags;

			memcpy(&flags, im.data + 0x204, 4);
			w32(im.data + 0x200, 0x1badb002);
			w32(im.data + 0x208, 0u - 0x1badb002u - flags);
		}
		if (rng_once_in(&r, 4))
			len = rng_below(&r, (uint32_t)im.len);
		good += survive(im.data, len, &r);
		free(im.data);
	}
	assert_in_range(good, 1000, 59000); /* both ends of the fork were seen */
}

static void noise(void **state)
{
	struct rng r = rng_seed(14);
	static uint8_t d[20000];

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = rng_below(&r, rng_once_in(&r, 8) ? sizeof(d) : 400);

		rng_fill(&r, d, len);
		if (len > 100) {
			if (rng_once_in(&r, 2))
				memcpy(d, "\177ELF\1\1\1", 7);
			if (rng_once_in(&r, 4))
				d[4] = 2;
			put_header(d + 4 * (16 + rng_below(&r, 4)), rng_once_in(&r, 2) ? 0x10000 : rng_next(&r) & 0x10007);
		}
		survive(d, len, &r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutated),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
