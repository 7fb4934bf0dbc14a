/* links: boot/acpi.c boot/bootinfo.c boot/multiboot.c boot/options.c */
/* ACPI tables, sound and broken: RSDP at BASE, root at +0x100, MADT at +0x200, FADT at +0x400, HPET at +0x600. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "boot/acpi.h"
#include "tests/unit/boot_world.h"

static void sum(uint64_t address, size_t len, size_t field)
{
	uint8_t *p = bytes + (address - BASE), s = 0;
	p[field] = 0;
	for (size_t i = 0; i < len; i++)
		s = (uint8_t)(s + p[i]);
	p[field] = (uint8_t)-s;
}

static void put_table(uint64_t address, const char *signature, uint32_t len)
{
	memcpy(bytes + (address - BASE), signature, 4);
	put32(address + 4, len);
	sum(address, len, 9);
}

static void put_rsdp(uint8_t revision)
{
	memcpy(bytes, "RSD PTR ", 8);
	bytes[15] = revision;
	put32(BASE + 16, BASE + 0x180);
	put32(BASE + 20, 36);
	put64(BASE + 24, BASE + 0x100);
	sum(BASE, 20, 8);
	sum(BASE, 36, 32);
}

/* One entry a line. */
/* clang-format off */
static const uint8_t madt[] = {
	0,    0,  0xe0, 0xfe, 1,    0,	  0,	0,				/* local APIC's address, flags */
	0,    8,  0,	5,    1,    0,	  0,	0,				/* CPU with APIC id 5 */
	0,    8,  1,	6,    0,    0,	  0,	0,				/* not enabled */
	0,    8,  2,	5,    1,    0,	  0,	0,				/* 5 again */
	9,    16, 0,	0,    0x34, 0x12, 0,	0,    1,   0, 0, 0, 3, 0, 0, 0, /* x2APIC id 0x1234 */
	1,    12, 9,	0,    0,    0,	  0xc1, 0xfe, 24,  0, 0, 0,		/* second I/O APIC, GSI 24 */
	1,    12, 8,	0,    0,    0,	  0xc0, 0xfe, 0,   0, 0, 0,		/* first */
	2,    10, 0,	4,    20,   0,	  0,	0,    0xf, 0,			/* IRQ 4 is GSI 20, low, level */
	2,    10, 0,	77,   1,    0,	  0,	0,    0,   0,			/* no such IRQ */
	0x7f, 6,  1,	2,    3,    4,						/* something new */
};
/* clang-format on */

static void sound_acpi(void)
{
	put_rsdp(2);
	put64(BASE + 0x100 + 36, BASE + 0x200);
	put64(BASE + 0x100 + 44, BASE + 0x400);
	put64(BASE + 0x100 + 52, BASE + 0x600);
	put64(BASE + 0x100 + 60, 0xfffffffffffffff0); /* points nowhere */
	put_table(BASE + 0x100, "XSDT", 36 + 32);
	put32(BASE + 0x180 + 36, BASE + 0x200);
	put_table(BASE + 0x180, "RSDT", 36 + 4);
	memcpy(bytes + 0x200 + 36, madt, sizeof(madt));
	put_table(BASE + 0x200, "APIC", 36 + sizeof(madt));
	put32(BASE + 0x400 + 76, 0x608);
	bytes[0x400 + 91] = 4;
	put32(BASE + 0x400 + 112, 1u << 8);
	put_table(BASE + 0x400, "FACP", 244);
	put64(BASE + 0x600 + 44, 0xfed00000);
	put_table(BASE + 0x600, "HPET", 56);
	memset(&bi, 0, sizeof(bi));
	bi.rsdp = BASE;
}

static void acpi_sound(void **state)
{
	(void)state;
	sound_acpi();
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 2);
	assert_int_equal(bi.cpu_apic_id[0], 5);
	assert_int_equal(bi.cpu_apic_id[1], 0x1234);
	assert_int_equal(bi.lapic_base, 0xfee00000);
	assert_int_equal(bi.ioapic_base, 0xfec00000);
	assert_int_equal(bi.ioapic_gsi_base, 0);
	assert_int_equal(bi.isa_gsi[4], 20);
	assert_int_equal(bi.isa_flags[4], 0xf);
	assert_int_equal(bi.isa_gsi[3], 3);
	assert_int_equal(bi.pm_timer_port, 0x608);
	assert_true(bi.pm_timer_32);
	assert_int_equal(bi.hpet_base, 0xfed00000);
	assert_int_equal(warnings, 0);
}

static void acpi_old(void **state)
{
	(void)state;
	sound_acpi();
	put_rsdp(0); /* revision 1.0: the RSDT, which names the MADT alone */
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 2);
	assert_int_equal(bi.pm_timer_port, 0);

	sound_acpi();
	bytes[0x100 + 40]++; /* the XSDT is damaged: the RSDT is taken */
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 2);
	assert_int_equal(bi.pm_timer_port, 0);
}

static void acpi_broken(void **state)
{
	(void)state;
	sound_acpi();
	bytes[3] = 'x'; /* no RSDP, and nothing to scan */
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 0);
	assert_int_equal(bi.isa_gsi[15], 15);
	assert_int_equal(warnings, 1);

	sound_acpi();
	bytes[0x200 + 50]++; /* MADT's checksum */
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 0);
	assert_int_equal(bi.pm_timer_port, 0x608);

	sound_acpi();
	bytes[0x200 + 36 + 8 + 1] = 0; /* an entry of no length */
	sum(BASE + 0x200, 36 + sizeof(madt), 9);
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 0);

	sound_acpi();
	bytes[0x200 + 36 + 8 + 1] = 4; /* shorter than its type needs */
	sum(BASE + 0x200, 36 + sizeof(madt), 9);
	acpi_read(&bi, &view);

	for (uint32_t len = 0; len < 36 + sizeof(madt); len++) {
		sound_acpi();
		put32(BASE + 0x204, len);
		if (len > 9)
			sum(BASE + 0x200, len, 9);
		acpi_read(&bi, &view);
		assert_true(bi.cpu_count <= 2);
	}
	sound_acpi();
	put32(BASE + 0x204, 0xffffffff);
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(acpi_sound),
		TEST(acpi_old),
		TEST(acpi_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
