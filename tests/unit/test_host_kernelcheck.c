/* What `tessera run` says of a guest file before anything is started. */
/* links: host/kernelcheck.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/kernelcheck.h"

#define MAGIC 0x1badb002u
#define HEADER_AT 0x100u
#define FILE_SIZE 0x2000u

static uint8_t file[FILE_SIZE];
static struct kernel_info info;
static const char *why;

static void put32(size_t at, uint32_t v)
{
	memcpy(file + at, &v, 4);
}

static void header(uint32_t flags)
{
	put32(HEADER_AT, MAGIC);
	put32(HEADER_AT + 4, flags);
	put32(HEADER_AT + 8, 0 - MAGIC - flags);
}

static Elf32_Ehdr *ehdr32(void)
{
	return (Elf32_Ehdr *)(void *)file;
}

static Elf32_Phdr *phdr32(void)
{
	return (Elf32_Phdr *)(void *)(file + sizeof(Elf32_Ehdr));
}

/* One segment of FILE_SIZE - 0x100 bytes at 1 MiB. */
static void elf32(void)
{
	memset(file, 0, sizeof(file));
	*ehdr32() = (Elf32_Ehdr){ .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
				  .e_type = ET_EXEC,
				  .e_machine = EM_386,
				  .e_entry = 0x100010,
				  .e_phoff = sizeof(Elf32_Ehdr),
				  .e_phentsize = sizeof(Elf32_Phdr),
				  .e_phnum = 1 };
	*phdr32() = (Elf32_Phdr){ .p_type = PT_LOAD,
				  .p_offset = 0x100,
				  .p_vaddr = 0x100000,
				  .p_paddr = 0x100000,
				  .p_filesz = FILE_SIZE - 0x100,
				  .p_memsz = 0x10000 };
	header(3);
}

static void elf64(void)
{
	Elf64_Ehdr e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_entry = 0xffffffff80100010,
			 .e_phoff = sizeof(e),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1 };
	Elf64_Phdr p = { .p_type = PT_LOAD,
			 .p_offset = 0x200,
			 .p_vaddr = 0xffffffff80100000,
			 .p_paddr = 0x100000,
			 .p_filesz = 0x1000,
			 .p_memsz = 0x2000 };

	memset(file, 0, sizeof(file));
	memcpy(file, &e, sizeof(e));
	memcpy(file + sizeof(e), &p, sizeof(p));
	header(0);
}

static void kludge(void)
{
	memset(file, 0, sizeof(file));
	header(1u << 16);
	put32(HEADER_AT + 12, 0x100000 + HEADER_AT); /* header */
	put32(HEADER_AT + 16, 0x100000);	     /* load */
	put32(HEADER_AT + 20, 0x101000);	     /* load end */
	put32(HEADER_AT + 24, 0x180000);	     /* bss end */
	put32(HEADER_AT + 28, 0x100200);	     /* entry */
}

static int check(size_t size)
{
	why = NULL;
	return kernel_check(file, size, 16, &info, &why);
}

static void assert_refused(int err, const char *words)
{
	assert_int_equal(check(FILE_SIZE), err);
	assert_non_null(strstr(why, words));
}

static void good_ones(void **state)
{
	(void)state;
	elf32();
	assert_int_equal(check(FILE_SIZE), 0);
	assert_int_equal(info.kind, KERNEL_ELF32);
	assert_int_equal(info.top, 0x110000);
	elf64();
	assert_int_equal(check(FILE_SIZE), 0);
	assert_int_equal(info.kind, KERNEL_ELF64);
	assert_int_equal(info.top, 0x102000);
	kludge();
	assert_int_equal(check(FILE_SIZE), 0);
	assert_int_equal(info.kind, KERNEL_AOUT_KLUDGE);
	assert_int_equal(info.top, 0x180000);
	put32(HEADER_AT + 20, 0); /* to the end of the file */
	put32(HEADER_AT + 24, 0);
	assert_int_equal(check(FILE_SIZE), 0);
	assert_int_equal(info.top, 0x100000 + FILE_SIZE);
}

static void not_kernels(void **state)
{
	(void)state;
	memset(file, 0, sizeof(file));
	assert_refused(-ENOEXEC, "not a kernel");
	assert_int_equal(check(0), -ENOEXEC);
	assert_string_equal(why, "empty");
	memcpy(file, "\x1f\x8b", 2);
	assert_refused(-ENOEXEC, "gzip");
	memset(file, 0, sizeof(file));
	memcpy(file + 0x202, "HdrS", 4);
	file[0x1fe] = 0x55;
	file[0x1ff] = 0xaa;
	assert_refused(-ENOEXEC, "boot protocol 0.00");
	file[0x207] = 2;
	file[0x206] = 15;
	assert_refused(-ENOEXEC, "zImage");
	file[0x211] = 1;
	file[0x1f1] = 255;
	assert_refused(-ENOEXEC, "truncated");
	file[0x1f1] = 1;
	assert_int_equal(check(FILE_SIZE), 0);
	assert_int_equal(info.kind, KERNEL_LINUX);
	assert_int_equal(info.top, 0x100000 + FILE_SIZE - 1024);
	put32(0x260, 0x800000); /* init_size */
	assert_int_equal(check(FILE_SIZE), 0);
	assert_int_equal(info.top, 0x900000);
	put32(0x260, 0x1000000);
	assert_refused(-ENOMEM, "--memory");
	elf32();
	put32(HEADER_AT, 0);
	assert_refused(-ENOEXEC, "without a multiboot 1 header");
	elf32();
	put32(HEADER_AT + 8, 1);
	assert_refused(-ENOEXEC, "checksum");
	elf32();
	header(0x8);
	assert_refused(-ENOEXEC, "features");
	memset(file, 0, sizeof(file));
	header(0);
	assert_refused(-ENOEXEC, "neither load addresses");
}

static void bad_elves(void **state)
{
	(void)state;
	elf32();
	file[EI_CLASS] = 3;
	assert_refused(-ENOEXEC, "class");
	elf32();
	file[EI_DATA] = ELFDATA2MSB;
	assert_refused(-ENOEXEC, "big-endian");
	elf32();
	ehdr32()->e_machine = EM_AARCH64;
	assert_refused(-ENOEXEC, "another CPU");
	elf32();
	ehdr32()->e_type = ET_DYN;
	assert_refused(-ENOEXEC, "type 3");
	elf32();
	ehdr32()->e_phnum = 0;
	assert_refused(-ENOEXEC, "absurd");
	elf32();
	ehdr32()->e_phnum = 0xffff;
	assert_refused(-ENOEXEC, "absurd");
	elf32();
	ehdr32()->e_phentsize = 1;
	assert_refused(-ENOEXEC, "absurd");
	elf32();
	ehdr32()->e_phoff = FILE_SIZE - 4;
	assert_refused(-ENOEXEC, "truncated");
	elf32();
	ehdr32()->e_phoff = 0xfffffff0;
	assert_refused(-ENOEXEC, "truncated");
	elf32();
	phdr32()->p_offset = 0xfffffff0;
	assert_refused(-ENOEXEC, "truncated");
	elf32();
	phdr32()->p_filesz = 0x20000;
	assert_refused(-ENOEXEC, "absurd");
	elf32();
	phdr32()->p_type = PT_NOTE;
	assert_refused(-ENOEXEC, "nothing to load");
	elf32();
	ehdr32()->e_entry = 0x200000;
	assert_refused(-ENOEXEC, "entry");
	elf32();
	phdr32()->p_memsz = 16 << 20;
	assert_refused(-ENOMEM, "--memory");
	elf32();
	phdr32()->p_paddr = 0xfffff000;
	assert_refused(-ENOMEM, "needs memory up to");
}

static void bad_kludges(void **state)
{
	(void)state;
	kludge();
	put32(HEADER_AT + 12, 0x50000);
	assert_refused(-ENOEXEC, "cannot be");
	kludge();
	put32(HEADER_AT + 16, 0x1000); /* would begin before the file */
	assert_refused(-ENOEXEC, "cannot be");
	kludge();
	put32(HEADER_AT + 20, 0x200000);
	assert_refused(-ENOEXEC, "truncated");
	kludge();
	put32(HEADER_AT + 20, 0x80000); /* ends before it begins */
	assert_refused(-ENOEXEC, "cannot be");
	kludge();
	put32(HEADER_AT + 28, 0x101000);
	assert_refused(-ENOEXEC, "entry");
	kludge();
	put32(HEADER_AT + 24, 0xffffffff);
	assert_refused(-ENOMEM, "--memory");
	kludge();
	assert_int_equal(check(HEADER_AT + 20), -ENOEXEC);
	assert_non_null(strstr(why, "ends inside"));
}

static void firmware(void **state)
{
	static uint8_t image[0x20000];

	(void)state;
	memcpy(image + sizeof(image) - 16, "\x90\xea\x5b\xe0\x00\xf0", 6);
	assert_int_equal(kernel_check(image, sizeof(image), 16, &info, &why), 0);
	assert_int_equal(info.kind, KERNEL_FIRMWARE);
	assert_int_equal(info.entry, 0xfffffff0);
	assert_int_equal(kernel_check(image + 0x10000, 0x10000, 16, &info, &why), 0);
	assert_int_equal(kernel_check(image + 16, sizeof(image) - 16, 16, &info, &why), -ENOEXEC); /* a part is missing */
	image[sizeof(image) - 15] = 0;
	assert_int_equal(kernel_check(image, sizeof(image), 16, &info, &why), -ENOEXEC);
	assert_non_null(strstr(why, "reset vector"));
}

/* Every file cut short, and many with a changed byte, in a buffer of just its size: ASan watches. */
static void hostile_files(void **state)
{
	static void (*const makers[])(void) = { elf32, elf64, kludge };
	unsigned random = 1;

	(void)state;
	for (size_t m = 0; m < 3; m++) {
		for (size_t size = 0; size < 0x220; size++) {
			uint8_t *copy;

			makers[m]();
			copy = malloc(size + !size);
			memcpy(copy, file, size);
			assert_true(kernel_check(copy, size, 16, &info, &why) < 0);
			free(copy);
		}
		for (int i = 0; i < 100000; i++) {
			makers[m]();
			for (int k = 0; k < 3; k++) {
				random = random * 1103515245 + 12345;
				file[(random >> 8) % 0x140] = (uint8_t)(random >> 20);
			}
			if (check(FILE_SIZE) == 0)
				assert_true(info.top <= 16 << 20);
			else
				assert_non_null(why);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones), cmocka_unit_test(not_kernels), cmocka_unit_test(bad_elves),
		cmocka_unit_test(firmware),  cmocka_unit_test(bad_kludges), cmocka_unit_test(hostile_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
