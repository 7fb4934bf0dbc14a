/* The first kernel: says hello and checks what the boot loader told. Option `modules`: tells each module's size and CRC-32. */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/crc32.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"

#define MMAP_RAM 1

int main(void);

static void test_loader(void)
{
	expect_eq("EAX", boot.magic, BOOT_MAGIC);
	expect(boot.flags & MBI_MEMORY, "no memory information, flags 0x%x", boot.flags);
	expect(boot.flags & MBI_MMAP, "no memory map, flags 0x%x", boot.flags);
	expect(boot.flags & MBI_CMDLINE, "no command line, flags 0x%x", boot.flags);
}

static void test_memory(void)
{
	expect(boot.mem_lower >= 512 && boot.mem_lower <= 640, "lower memory is %u KiB", boot.mem_lower);
	expect(boot.mem_upper >= 4096, "upper memory is %u KiB", boot.mem_upper);
}

static void test_map(void)
{
	uint64_t upper = 0, image = 0;

	expect(boot.range_count > 0, "the map is empty");
	for (unsigned i = 0; i < boot.range_count; i++) {
		const struct boot_range *r = &boot.range[i];
		uint64_t end = r->base + r->len;
		expect(r->len && end > r->base, "range %u is empty or wraps", i);
		for (unsigned j = 0; j < i; j++) {
			const struct boot_range *o = &boot.range[j];
			bool ram = r->type == MMAP_RAM || o->type == MMAP_RAM;
			expect(!ram || r->base >= o->base + o->len || o->base >= end, "ranges %u and %u overlap", j, i);
		}
		if (r->type != MMAP_RAM)
			continue;
		if (r->base <= 0x100000 && end > 0x100000)
			upper = (end - 0x100000) / 1024;
		if (r->base <= (uint64_t)image_start && end >= (uint64_t)image_end)
			image++;
	}
	/* Multiboot 3.3: mem_upper reaches to the first hole, and may be less. */
	expect(upper && boot.mem_upper <= upper, "%u KiB upper memory, but the map has %lu there", boot.mem_upper, upper);
	expect_eq("RAM ranges around the image", image, 1);
}

static void test_ram(void)
{
	volatile uint32_t *at[8];
	struct {
		uint32_t a, b;
	} seen;

	for (unsigned i = 0; i < 8; i++) {
		at[i] = ram_alloc(4096);
		if (!expect(at[i] != NULL, "no RAM for page %u", i))
			return;
		at[i][0] = 0x12340000 + i;
		at[i][1023] = ~at[i][0];
	}
	for (unsigned i = 0; i < 8; i++) {
		seen.a = at[i][0];
		seen.b = at[i][1023];
		expect(seen.a == 0x12340000 + i && seen.b == ~seen.a, "page %u does not hold what was written", i);
	}
}

static void test_modules(void)
{
	for (unsigned i = 0; i < boot.module_count; i++) {
		const struct boot_module *m = &boot.module[i];
		expect(m->end > m->start, "module %u is empty", i);
		expect(m->end <= (uint64_t)image_start || m->start >= (uint64_t)image_end, "module %u lies in the image", i);
		expect(!(m->start & 4095), "module %u is not page-aligned", i);
	}
	if (!boot.module_count)
		skip("no modules were given");
}

static void test_hypervisor(void)
{
	struct regs4 r;

	if (!hyper_present()) {
		skip("not under Tessera");
		return;
	}
	r = cpuid(0x40000001, 0);
	expect_eq("hypercall version", r.eax, HC_VERSION);
	expect_eq("version by hypercall", (uint64_t)hypercall(HC_GET_VERSION, 0, 0), HC_VERSION);
	expect_eq("heads by hypercall", (uint64_t)hypercall(HC_HEAD_COUNT, 0, 0), r.ebx);
	expect(r.ebx <= HEADS_MAX, "%u heads", r.ebx);
}

static void test_heads(void)
{
	const char *why = heads_find();

	expect(!why, "%s: %ux%u, %u bits", why, boot.fb_width, boot.fb_height, boot.fb_bpp);
	if (!why && !head_count)
		skip("no framebuffer");
}

static const struct test tests[] = {
	{ "loader", test_loader },   { "memory", test_memory },		{ "memory-map", test_map }, { "ram", test_ram },
	{ "modules", test_modules }, { "hypervisor", test_hypervisor }, { "heads", test_heads },    { 0 },
};

int main(void)
{
	guest_init();
	print("Hello from a guest of Tessera.\n");
	print("Command line: %s\n", boot.cmdline);
	print("Memory: %u KiB below 1 MiB, %u KiB above.\n", boot.mem_lower, boot.mem_upper);
	tests_run(tests);
	for (unsigned i = 0; i < head_count; i++)
		print("Head %u: %ux%u, %u bytes a row, at 0x%lx.\n", i, heads[i].width, heads[i].height, heads[i].stride,
		      (uint64_t)heads[i].vram);
	for (unsigned i = 0; boot_option("modules") && i < boot.module_count; i++) {
		const struct boot_module *m = &boot.module[i];
		print("module %u: %lu bytes crc=%08X %s\n", i, m->end - m->start, crc32(0, (void *)m->start, m->end - m->start),
		      m->args);
	}
	return tests_failed() ? 1 : 0;
}
