#include "guest-tests/lib/heads.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/crc32.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"

#define FB_TYPE_RGB 1
#define SIDE_MAX 8192

struct head heads[HEADS_MAX];
unsigned head_count;

static const char *add(uint64_t gpa, uint32_t width, uint32_t height, uint32_t stride, uint64_t size)
{
	struct head *h = &heads[head_count];

	if (!width || !height || width > SIDE_MAX || height > SIDE_MAX || stride < width * 4 || stride > SIDE_MAX * 8)
		return "a head's size makes no sense";
	if (gpa & 3 || stride & 3)
		return "a head is not aligned to pixels";
	if (size < (uint64_t)stride * (height - 1) + width * 4 || gpa + size > 0x100000000ull)
		return "a head's VRAM is too small or lies beyond 4 GiB";
	*h = (struct head){
		.width = width,
		.height = height,
		.stride = stride,
		.size = (uint32_t)size,
		.vram = (volatile uint8_t *)gpa,
	};
	head_count++;
	return NULL;
}

static const char *find_first(void)
{
	static const uint8_t bgrx[6] = { 16, 8, 8, 8, 0, 8 };

	if (!(boot.flags & MBI_FRAMEBUFFER) || boot.fb_type != FB_TYPE_RGB)
		return NULL;
	if (boot.fb_bpp != 32 || memcmp(boot.fb_fields, bgrx, sizeof(bgrx)))
		return "head 0 is not 32 bits a pixel with bytes B, G, R, 0";
	return add(boot.fb_addr, boot.fb_width, boot.fb_height, boot.fb_pitch, (uint64_t)boot.fb_pitch * boot.fb_height);
}

/* By number; some may not be there. The first that is there is the one that multiboot tells of. */
static const char *find_others(void)
{
	int64_t n = hypercall(HC_HEAD_COUNT, 0, 0), result;
	unsigned known = head_count, seen = 0;
	const char *why = NULL;

	if (n < 0 || n > HEADS_MAX || (unsigned)n < head_count)
		return "the number of heads makes no sense";
	for (unsigned i = 0; i < (unsigned)n && !why; i++) {
		struct hc_head info;
		struct head *h = &heads[seen];

		result = hypercall(HC_HEAD_INFO, i, (uint64_t)&info);
		if (result == -HYPER_ENOENT)
			continue;
		if (result)
			return "no information about a head";
		if (seen < known && (info.gpa != (uint64_t)h->vram || info.width != h->width || info.height != h->height ||
				     info.stride != h->stride))
			return "multiboot and hypercall disagree about the first head";
		if (seen < known)
			h->size = info.size;
		else
			why = add(info.gpa, info.width, info.height, info.stride, info.size);
		h->index = i;
		seen++;
	}
	return why;
}

const char *heads_find(void)
{
	const char *why = find_first();

	if (!why && hyper_present())
		why = find_others();
	return why;
}

bool heads_shadow(void)
{
	for (unsigned i = 0; i < head_count; i++) {
		heads[i].shadow = ram_alloc((uint64_t)heads[i].width * heads[i].height * 4);
		if (!heads[i].shadow)
			return false;
	}
	return true;
}

bool head_matches(const struct head *h)
{
	const uint32_t *want = h->shadow;

	for (uint32_t y = 0; y < h->height; y++) {
		const volatile uint32_t *row = head_row(h, y);
		for (uint32_t x = 0; x < h->width; x++, want++)
			if ((row[x] ^ *want) & 0xffffff)
				return false;
	}
	return true;
}

void head_print_screen(const struct head *h)
{
	uint32_t crc = crc32_pixels(0, h->shadow, (uint64_t)h->width * h->height);

	print("screen head=%u size=%ux%u crc=%08X\n", h->index, h->width, h->height, crc);
}

void heads_report(const char *name)
{
	bool ok = true;

	for (unsigned i = 0; i < head_count; i++)
		ok &= head_matches(&heads[i]);
	check(ok, name, "VRAM read back differs from what was drawn");
	for (unsigned i = 0; i < head_count; i++)
		head_print_screen(&heads[i]);
	hyper_screenshot();
}
