/* <string.h> for the VMM. Bulk work is done in units of 8 bytes or more: emulated CPUs pay for each iteration of a REP. */
#include <string.h>

#include <stdint.h>

/* Else the compiler recognises these loops as calls of the very functions that they implement. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *d = dst;
	size_t words = n / 8, tail = n % 8;
	__asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(tail) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	/* Forward is right whenever dst does not lie inside of the source. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return memcpy(dst, src, n);
	uint8_t *d = dst;
	const uint8_t *s = src;
	for (; n >= 8; n -= 8) {
		uint64_t v;
		__builtin_memcpy(&v, s + n - 8, 8);
		__builtin_memcpy(d + n - 8, &v, 8);
	}
	while (n--)
		d[n] = s[n];
	return dst;
}

#define BLOCK 128u
#define BLOCKS_MIN 8u /* below it is not worth while */

/*
 * Blocks of BLOCK bytes, one at least. REP STOS took most of the VMM's own time to a guest's first instruction on an emulated CPU.
 * The register may hold the guest's: it is as it was, with what is above it in YMM (SDM vol. 1, 14.1.2).
 */
static uint8_t *fill_blocks(uint8_t *p, uint64_t fill, size_t blocks)
{
	uint8_t saved[16];

	__asm__ volatile("movups %%xmm0, %[saved]\n\t"
			 "movq %[fill], %%xmm0\n\t"
			 "punpcklqdq %%xmm0, %%xmm0\n"
			 "1:\tmovups %%xmm0, (%[p])\n\t"
			 "movups %%xmm0, 16(%[p])\n\t"
			 "movups %%xmm0, 32(%[p])\n\t"
			 "movups %%xmm0, 48(%[p])\n\t"
			 "movups %%xmm0, 64(%[p])\n\t"
			 "movups %%xmm0, 80(%[p])\n\t"
			 "movups %%xmm0, 96(%[p])\n\t"
			 "movups %%xmm0, 112(%[p])\n\t"
			 "sub $-128, %[p]\n\t"
			 "dec %[blocks]\n\t"
			 "jnz 1b\n\t"
			 "movups %[saved], %%xmm0"
			 : [p] "+r"(p), [blocks] "+r"(blocks), [saved] "=m"(saved)
			 : [fill] "r"(fill)
			 : "memory", "cc");
	return p;
}

void *memset(void *dst, int c, size_t n)
{
	uint64_t fill = (uint8_t)c * 0x0101010101010101ull;
	uint8_t *d = dst;

	if (n >= BLOCKS_MIN * BLOCK) {
		d = fill_blocks(d, fill, n / BLOCK);
		n %= BLOCK;
	}
	size_t words = n / 8, tail = n % 8;
	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(fill) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(tail) : "a"(fill) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;
	for (; n >= 32; p += 32, q += 32, n -= 32) {
		uint64_t x[4], y[4];
		__builtin_memcpy(x, p, 32);
		__builtin_memcpy(y, q, 32);
		if ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]))
			break;
	}
	while (n >= 8) {
		uint64_t x, y;
		__builtin_memcpy(&x, p, 8);
		__builtin_memcpy(&y, q, 8);
		if (x != y)
			break;
		p += 8, q += 8, n -= 8;
	}
	for (; n; p++, q++, n--) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;
	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; a++, b++, n--) {
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}
