/* fw_cfg by port and by DMA: the directory, files, and what a DMA may not touch. */
#include "guest-tests/acpi/acpi.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/crc32.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/print.h"

#define SELECT 0x510
#define DATA 0x511
#define DMA_HIGH 0x514
#define DMA_LOW 0x518
#define ITEM_DIRECTORY 0x19
#define FILES_MAX 64u
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SELECT = 8, DMA_WRITE = 16 };

struct request {
	uint32_t control, length;
	uint64_t address;
};

static uint64_t get_be(unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | inb(DATA);
	return v;
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* The file's selector and size; 0: there is none of this name. */
static unsigned find_file(const char *name, uint64_t *size)
{
	char entry[56];
	uint64_t count, selector;

	outw(SELECT, ITEM_DIRECTORY);
	count = get_be(4);
	expect(count && count <= FILES_MAX, "%lu files", count);
	for (uint64_t i = 0; i < count && i < FILES_MAX; i++) {
		*size = get_be(4);
		selector = get_be(2);
		(void)get_be(2);
		for (unsigned c = 0; c < sizeof(entry); c++)
			entry[c] = (char)inb(DATA);
		if (same(entry, name))
			return (unsigned)selector;
	}
	return 0;
}

static uint32_t dma_at(uint64_t request, volatile struct request *r)
{
	outl(DMA_HIGH, __builtin_bswap32((uint32_t)(request >> 32)));
	outl(DMA_LOW, __builtin_bswap32((uint32_t)request));
	return r ? __builtin_bswap32(r->control) : 0;
}

static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
	static volatile struct request r;

	r.control = __builtin_bswap32(control);
	r.length = __builtin_bswap32(length);
	r.address = __builtin_bswap64(address);
	return dma_at((uint64_t)&r, &r);
}

void test_fw_cfg(void)
{
	uint64_t size = 0;
	unsigned file;

	outw(SELECT, 0);
	expect_eq("the signature", get_be(4), 0x51454d55); /* "QEMU" */
	outw(SELECT, 1);
	expect_eq("the features", inb(DATA), 3);
	file = find_file("etc/acpi/rsdp", &size);
	if (!expect(file, "there is no etc/acpi/rsdp"))
		return;
	expect_eq("its size", size, 36);
	outw(SELECT, (uint16_t)file);
	expect_eq("how it begins", get_be(8), 0x5253442050545220); /* "RSD PTR " */
	expect(find_file("etc/table-loader", &size) && size % 128 == 0, "there is no etc/table-loader");
	expect(find_file("etc/e820", &size) && size % 20 == 0, "there is no etc/e820");
	expect(find_file("etc/smbios/smbios-anchor", &size) && size == 31, "there is no etc/smbios/smbios-anchor");
}

void test_dma(void)
{
	uint64_t size = 0;
	unsigned file = find_file("etc/acpi/tables", &size);
	uint8_t *to = ram_alloc(size + 4096);
	unsigned different = 0;

	expect_eq("the DMA's signature", inl(DMA_HIGH) | (uint64_t)inl(DMA_LOW) << 32, 0x47464320554d4551);
	if (!expect(file && to, "there is no etc/acpi/tables, or no memory for them"))
		return;
	to[size] = 0x5a;
	expect_eq("reading a file", dma(DMA_SELECT | DMA_READ | file << 16, (uint32_t)size, (uint64_t)to), 0);
	outw(SELECT, (uint16_t)file);
	for (uint64_t i = 0; i < size; i++)
		different += to[i] != inb(DATA);
	expect_eq("bytes that differ from those by port", different, 0);
	expect_eq("the byte behind", to[size], 0x5a);
	expect_eq("writing", dma(DMA_SELECT | DMA_WRITE | file << 16, 4, (uint64_t)to), DMA_ERROR);
	expect_eq("reading to where nothing is", dma(DMA_SELECT | DMA_READ | file << 16, 4, 0xe00000000000), DMA_ERROR);
	expect_eq("reading across the end of memory", dma(DMA_SELECT | DMA_READ | file << 16, 4, UINT64_MAX - 1), DMA_ERROR);
	expect_eq("reading 4 GiB", dma(DMA_SELECT | DMA_READ | file << 16, UINT32_MAX, (uint64_t)to), DMA_ERROR);
	(void)dma_at(0xfffffffffffffff0, NULL); /* requests that are nowhere */
	(void)dma_at(0x00007ffffffffffc, NULL);
	outw(SELECT, 0);
	expect_eq("the signature afterwards", get_be(4), 0x51454d55);
}

/* What the device writes is a write as any other to who follows the heads. */
void test_dma_vram(void)
{
	struct head *h = &heads[0];
	uint64_t size = 0;
	unsigned file = find_file("etc/acpi/tables", &size);
	uint32_t bytes = h->stride * h->height < size ? h->stride * h->height : (uint32_t)size;

	if (!expect(head_count && file, "there is no head, or no file"))
		return;
	head_print_screen(h);
	hyper_screenshot(); /* so that all was sent before */
	for (unsigned i = 0; i < 2; i++) {
		/* From its second page on: the first is all but empty. */
		expect_eq("a DMA to VRAM", dma(DMA_SELECT | DMA_READ | file << 16, 4096, (uint64_t)h->vram), 0);
		expect_eq("a DMA to VRAM", dma(DMA_READ, bytes < 4096 ? bytes : bytes - 4096, (uint64_t)h->vram + 64 * i), 0);
		for (uint32_t y = 0; y < h->height; y++)
			for (uint32_t x = 0; x < h->width; x++)
				h->shadow[y * h->width + x] = head_row(h, y)[x] & 0xffffff;
		head_print_screen(h);
		hyper_screenshot();
	}
}
