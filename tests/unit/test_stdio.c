/* The VMM's snprintf and string functions against the host's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The VMM's sources under names of their own, beside the host's functions. */
#define snprintf vmm_snprintf
#define vsnprintf vmm_vsnprintf
#include "vmm/libc/stdio.c"
#undef snprintf
#undef vsnprintf
#define memcpy vmm_memcpy
#define memmove vmm_memmove
#define memset vmm_memset
#define memcmp vmm_memcmp
#define strlen vmm_strlen
#define strnlen vmm_strnlen
#define strcmp vmm_strcmp
#define strncmp vmm_strncmp
#define strchr vmm_strchr
#include "vmm/libc/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr

#define SAME(...)                                                                                                                  \
	do {                                                                                                                       \
		char want[300], got[300];                                                                                          \
		int w = snprintf(want, sizeof(want), __VA_ARGS__), g = vmm_snprintf(got, sizeof(got), __VA_ARGS__);                \
		assert_string_equal(got, want);                                                                                    \
		assert_int_equal(g, w);                                                                                            \
	} while (0)

static void texts(void **state)
{
	(void)state;
	SAME("plain");
	SAME("%s|%10s|%-10s|%.3s|%10.2s|%-6.1s|", "abc", "abc", "abc", "abcdef", "abcdef", "abcdef");
	SAME("%c%5c%-5c|%%|%d%%", 'x', 'y', 'z', 50);
	SAME("%*d|%-*d|%.*d|%*.*s|", 6, 42, 6, 42, 4, 42, 8, 3, "abcdef");
	SAME("%*d|%.*s|", -6, 42, -1, "all of it");
	SAME("%p", (void *)0x1234);
	SAME("%zu %zx %llu %lld %lx", (size_t)-1, (size_t)4096, ~0ull, -0x123456789abll, 0xfedcba9876543210ul);
}

/* All combinations of flags, width, precision, size and conversion, over values with every special bit pattern. */
static void numbers(void **state)
{
	(void)state;
	static const uint64_t values[] = {
		0, 1, 7, 42, 255, 0x8000, 0x7fffffff, 0x80000000, ~0ull, 1ull << 63, 0x0123456789abcdef
	};
	static const char *const widths[] = { "", "1", "7", "25" }, *const precisions[] = { "", ".", ".0", ".3", ".22" };
	static const char *const sizes[] = { "hh", "h", "", "l", "ll", "z" };
	static const char flags[] = "-0+ #", conversions[] = "diuxX";
	char fmt[40];
	for (unsigned f = 0; f < 32; f++) {
		char set[6] = "";
		for (unsigned i = 0; i < 5; i++) {
			if (f >> i & 1)
				strncat(set, &flags[i], 1);
		}
		for (unsigned n = 0; n < 4 * 5 * 6 * 5; n++) {
			unsigned size = n / 20 % 6;
			char conversion = conversions[n / 120];
			if (strchr("diu", conversion) && strchr(set, '#'))
				continue; /* undefined */
			snprintf(fmt, sizeof(fmt), "[%%%s%s%s%s%c]", set, widths[n % 4], precisions[n / 4 % 5], sizes[size],
				 conversion);
			for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
				char want[64], got[64];
				int w, g;
				if (size >= 3) {
					w = snprintf(want, sizeof(want), fmt, values[v]);
					g = vmm_snprintf(got, sizeof(got), fmt, values[v]);
				} else {
					w = snprintf(want, sizeof(want), fmt, (unsigned)values[v]);
					g = vmm_snprintf(got, sizeof(got), fmt, (unsigned)values[v]);
				}
				if (w != g || strcmp(want, got))
					fail_msg("%s of %llx: \"%s\", not \"%s\"", fmt, (unsigned long long)values[v], got, want);
			}
		}
	}
}

static void limits(void **state)
{
	(void)state;
	for (size_t size = 0; size < 20; size++) {
		char want[32], got[32];
		memset(want, 'w', sizeof(want));
		memset(got, 'w', sizeof(got));
		int w = snprintf(want, size, "%s-%08x", "abc", 0x1234), g = vmm_snprintf(got, size, "%s-%08x", "abc", 0x1234);
		assert_int_equal(g, w);
		assert_memory_equal(got, want, sizeof(got));
	}
	assert_int_equal(vmm_snprintf(NULL, 0, "%d", 12345), 5);
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void strings(void **state)
{
	(void)state;
	static const char *const words[] = { "",     "a",    "b", "ab", "abc", "abd", "abcdefgh", "abcdefgi", "abcdefghijkl",
					     "\xff", "a\xff" };
	size_t n = sizeof(words) / sizeof(words[0]);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(vmm_strlen(words[i]), strlen(words[i]));
		assert_ptr_equal(vmm_strchr(words[i], 'b'), strchr(words[i], 'b'));
		assert_ptr_equal(vmm_strchr(words[i], 0), strchr(words[i], 0));
		for (size_t j = 0; j < n; j++) {
			assert_int_equal(sign(vmm_strcmp(words[i], words[j])), sign(strcmp(words[i], words[j])));
			for (size_t max = 0; max < 10; max++) {
				assert_int_equal(sign(vmm_strncmp(words[i], words[j], max)),
						 sign(strncmp(words[i], words[j], max)));
				assert_int_equal(vmm_strnlen(words[i], max), strnlen(words[i], max));
			}
		}
	}
}

static void memory(void **state)
{
	(void)state;
	srand(1);
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t want[80], got[80], other[80];
		for (size_t i = 0; i < sizeof(want); i++)
			want[i] = (uint8_t)rand(), other[i] = rand() % 8 ? want[i] : (uint8_t)rand();
		memcpy(got, want, sizeof(got));
		size_t from = (size_t)rand() % 40, to = (size_t)rand() % 40, len = (size_t)rand() % 41;
		int c = rand();
		assert_int_equal(sign(vmm_memcmp(want + from, other + from, len)), sign(memcmp(want + from, other + from, len)));
		switch (round % 3) {
		case 0:
			memmove(want + to, want + from, len);
			assert_ptr_equal(vmm_memmove(got + to, got + from, len), got + to);
			break;
		case 1:
			memcpy(want + to, other + from, len);
			assert_ptr_equal(vmm_memcpy(got + to, other + from, len), got + to);
			break;
		case 2:
			memset(want + to, c, len);
			assert_ptr_equal(vmm_memset(got + to, c, len), got + to);
			break;
		}
		assert_memory_equal(got, want, sizeof(got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),   cmocka_unit_test(numbers), cmocka_unit_test(limits),
		cmocka_unit_test(strings), cmocka_unit_test(memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
