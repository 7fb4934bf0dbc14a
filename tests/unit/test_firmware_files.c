/* Modules of a firmware image: under which names it finds them in fw_cfg, a kernel in its parts, and what is refused. */
/* links: vmm/firmware_files.c devices/fw_cfg.c devices/bus.c vmm/loader_linux.c vmm/loader_multiboot.c vmm/loader_elf.c */
/* links: vmm/loader_segments.c vmm/loader_place.c vmm/loader_mbi.c vmm/guest_mem.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/firmware_files.h"
#include "vmm/vm.h"

#define SETUP_BYTES (3 * 512)
#define KERNEL_BYTES (SETUP_BYTES + 1000)

static struct vm vm;
static struct fw_cfg fw;
static struct bus bus;
static uint8_t kernel[KERNEL_BYTES];
static char why[256];

struct fw_cfg *pc_fw_cfg(struct pc *pc)
{
	(void)pc;
	return &fw;
}

/* Stand in for the rest of the VMM. */
void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len)
{
	(void)d, (void)gpa, (void)len;
}

void shadow_written(struct shadow *sh, uint64_t gpa, uint64_t len)
{
	(void)sh, (void)gpa, (void)len;
}

static int no_memory(void *arg, uint64_t gpa, void *to, size_t len)
{
	(void)arg, (void)gpa, (void)to, (void)len;
	return -1;
}

static int no_write(void *arg, uint64_t gpa, const void *from, size_t len)
{
	(void)arg, (void)gpa, (void)from, (void)len;
	return -1;
}

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&bus, 0, sizeof(bus));
	fw_cfg_init(&fw, 1 << 27, 1, &(struct fw_cfg_memory){ .read = no_memory, .write = no_write });
	for (unsigned i = 0; i < KERNEL_BYTES; i++)
		kernel[i] = (uint8_t)(i * 5 + i / 256);
	memset(kernel + 0x1f1, 0, 0x264 - 0x1f1);
	kernel[0x1f1] = 2;
	kernel[0x1fe] = 0x55;
	kernel[0x1ff] = 0xaa;
	memcpy(kernel + 0x202, "HdrS\x0c\x02", 6);
	memcpy(kernel + 0x22c, "\xff\xff\xff\x7f", 4);
	vm.ram_bytes = 128 << 20;
	kernel[0x211] = 1;
	vm.kernel.args = "bios.bin console=ttyS0 quiet";
	why[0] = 0;
	return bus_add(&bus, BUS_PIO, 0x510, 2, &fw_cfg_ops, &fw);
}

static void module(const void *data, size_t len, const char *args)
{
	vm.module[vm.module_count++] = (struct loader_blob){ .data = data, .len = len, .args = args };
}

static void read_item(unsigned item, void *to, size_t len)
{
	bus_write(&bus, BUS_PIO, 0x510, 2, item);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = (uint8_t)bus_read(&bus, BUS_PIO, 0x511, 1);
}

static uint32_t number(unsigned item)
{
	uint32_t v;

	read_item(item, &v, sizeof(v));
	return v;
}

static void none(void **state)
{
	(void)state;
	assert_int_equal(firmware_files(&vm, why, sizeof(why)), 0);
	assert_int_equal(number(0x08) | number(0x0b) | number(0x17), 0);
	assert_int_equal(number(0x19), 0); /* no files */
}

static void files(void **state)
{
	uint8_t directory[4 + 2 * 64], content[8];

	(void)state;
	module("\x55\xaa\x01", 3, "vga.bin vgaroms/v.bin");
	module("hello", 5, "x opt/pci1234,1111");
	assert_int_equal(firmware_files(&vm, why, sizeof(why)), 0);
	read_item(0x19, directory, sizeof(directory));
	assert_memory_equal(directory, "\0\0\0\2\0\0\0\3", 8);
	assert_string_equal((char *)directory + 12, "vgaroms/v.bin");
	assert_string_equal((char *)directory + 76, "opt/pci1234,1111");
	read_item((unsigned)directory[72] << 8 | directory[73], content, sizeof(content));
	assert_memory_equal(content, "hello\0\0\0", 8);
}

/* QEMU's boot ROM reads these items; the header's fields are those that boot.rst has a boot loader fill in. */
static void linux_kernel(void **state)
{
	static uint8_t got[KERNEL_BYTES];
	uint16_t heap;
	uint32_t at;

	(void)state;
	module(kernel, sizeof(kernel), "vmlinuz kernel");
	module("initramfs", 9, "i initrd");
	assert_int_equal(firmware_files(&vm, why, sizeof(why)), 0);
	assert_int_equal(number(0x17), SETUP_BYTES);
	assert_int_equal(number(0x08), KERNEL_BYTES - SETUP_BYTES);
	assert_int_equal(number(0x0b), 9);
	assert_int_equal(number(0x14), strlen("console=ttyS0 quiet") + 1);
	assert_int_equal(number(0x07), 0x100000);
	read_item(0x15, got, 20);
	assert_string_equal((char *)got, "console=ttyS0 quiet");
	read_item(0x11, got, KERNEL_BYTES - SETUP_BYTES);
	assert_memory_equal(got, kernel + SETUP_BYTES, KERNEL_BYTES - SETUP_BYTES);
	read_item(0x12, got, 10);
	assert_memory_equal(got, "initramfs", 10);
	read_item(0x18, got, SETUP_BYTES);
	assert_memory_equal(got, kernel, 0x210);
	assert_memory_equal(got + 0x264, kernel + 0x264, SETUP_BYTES - 0x264);
	assert_int_not_equal(got[0x210], 0); /* type_of_loader */
	assert_int_equal(got[0x211], 0x81);
	memcpy(&at, got + 0x21c, 4);
	assert_int_equal(at, 9);
	memcpy(&at, got + 0x218, 4);
	assert_int_equal(at, (128 << 20) - 4096);
	assert_int_equal(number(0x0a), at);
	memcpy(&at, got + 0x228, 4);
	assert_int_equal(at, number(0x13));
	memcpy(&heap, got + 0x224, 2);
	/* the heap ends before the command line (an offset from the setup's first sector, 0x200 less) */
	assert_true(number(0x16) + heap + 0x200 <= number(0x13) && heap >= SETUP_BYTES);
	assert_int_equal(number(0x19), 0);
}

static void refused(int err, const char *words)
{
	assert_int_equal(firmware_files(&vm, why, sizeof(why)), err);
	assert_non_null(strstr(why, words));
	vm.module_count = 0;
}

static void wrong(void **state)
{
	(void)state;
	vm.ram_bytes = 2 << 20;
	module(kernel, sizeof(kernel), "vmlinuz kernel");
	module(kernel, (1 << 20) + 1, "i initrd"); /* never read */
	refused(-ENOSPC, "does not fit");
	module("x", 1, "file");
	refused(-EINVAL, "--module FILE=NAME");
	module("x", 1, NULL);
	refused(-EINVAL, "--module FILE=NAME");
	module("x", 1, "f a-name-that-is-longer-than-the-fifty-five-characters-of-fw_cfg");
	refused(-EINVAL, "55 characters");
	module("no kernel", 9, "f kernel");
	refused(-ENOEXEC, "no Linux bzImage");
	module(kernel, SETUP_BYTES, "f kernel");
	refused(-ENOEXEC, "truncated");
	kernel[0x1f1] = 200;
	module(kernel, KERNEL_BYTES, "f kernel");
	refused(-ENOEXEC, "truncated");
	kernel[0x1f1] = 2;
	kernel[0x211] = 0;
	module(kernel, KERNEL_BYTES, "f kernel");
	refused(-ENOEXEC, "zImage");
	for (unsigned i = 0; i <= FW_CFG_FILES && vm.module_count < BOOT_MODULES_MAX; i++)
		module("x", 1, "f n");
	while (fw.files < FW_CFG_FILES)
		assert_int_equal(fw_cfg_add(&fw, "n", "", 0), 0);
	refused(-ENOSPC, "files");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(none, setup),
		cmocka_unit_test_setup(files, setup),
		cmocka_unit_test_setup(linux_kernel, setup),
		cmocka_unit_test_setup(wrong, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
