/* ACPI tables and SMBIOS structures, followed as a guest follows them: from their anchors, each length, checksum and pointer. */
/* links: devices/acpi_tables.c devices/smbios.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "devices/acpi_tables.h"
#include "devices/smbios.h"

#define BASE 0xe0000u

static struct acpi_tables t;

static uint64_t get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static bool sums_to_zero(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return sum == 0;
}

/* A table by its address: whole, summed, of this signature. */
static const uint8_t *table_at(uint64_t address, const char *signature)
{
	const uint8_t *p;

	assert_true(address >= BASE && address + 36 <= BASE + t.len);
	p = t.bytes + (address - BASE);
	assert_memory_equal(p, signature, 4);
	assert_true(address + get(p + 4, 4) <= BASE + t.len);
	assert_true(sums_to_zero(p, get(p + 4, 4)));
	return p;
}

/* The table of this signature that both roots name; NULL for none. */
static const uint8_t *find(const char *signature)
{
	const uint8_t *rsdt = table_at(get(t.rsdp + 16, 4), "RSDT"), *xsdt = table_at(get(t.rsdp + 24, 8), "XSDT"), *found = NULL;
	size_t count = (get(rsdt + 4, 4) - 36) / 4;

	assert_int_equal((get(xsdt + 4, 4) - 36) / 8, count);
	for (size_t i = 0; i < count; i++) {
		uint64_t address = get(xsdt + 36 + 8 * i, 8);

		assert_int_equal(get(rsdt + 36 + 4 * i, 4), address);
		if (!memcmp(t.bytes + (address - BASE), signature, 4))
			found = table_at(address, signature);
	}
	return found;
}

static void make(unsigned cpus, bool apic, bool hpet)
{
	acpi_tables_make(&t, &(struct acpi_facts){ .cpus = cpus, .ecam = 0xfef00000, .apic = apic, .hpet = hpet });
	acpi_tables_link(&t, BASE);
	assert_memory_equal(t.rsdp, "RSD PTR ", 8);
	assert_int_equal(t.rsdp[15], 2);
	assert_true(sums_to_zero(t.rsdp, 20) && sums_to_zero(t.rsdp, 36));
}

static void test_fadt(void **state)
{
	const uint8_t *p, *facs;

	(void)state;
	make(1, false, false);
	p = find("FACP");
	assert_non_null(p);
	assert_int_equal(get(p + 4, 4), 276);
	facs = t.bytes + (get(p + 36, 4) - BASE);
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(get(p + 36, 4) % 64, 0);
	assert_true(get(p + 36, 4) + get(facs + 4, 4) <= BASE + ACPI_NVS_BYTES);
	assert_int_equal(get(p + 132, 8), 0); /* not both */
	(void)table_at(get(p + 40, 4), "DSDT");
	assert_int_equal(get(p + 40, 4), get(p + 140, 8));
	assert_true(get(p + 40, 4) >= BASE + ACPI_NVS_BYTES);
	assert_int_equal(get(p + 46, 2), 9);
	assert_int_equal(get(p + 48, 4), 0);
	/* each register block: by its old field, and as a generic address */
	static const struct {
		unsigned field, len_field, gas, port, len;
	} block[] = { { 56, 88, 148, 0x600, 4 }, { 64, 89, 172, 0x604, 2 }, { 76, 91, 208, 0x608, 4 }, { 80, 92, 220, 0xafe0, 4 } };

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(get(p + block[i].field, 4), block[i].port);
		assert_int_equal(p[block[i].len_field], block[i].len);
		assert_int_equal(p[block[i].gas], 1);
		assert_int_equal(p[block[i].gas + 1], 8 * block[i].len);
		assert_int_equal(get(p + block[i].gas + 4, 8), block[i].port);
	}
	assert_int_equal(get(p + 116 + 4, 8), 0xcf9);
	assert_true(get(p + 112, 4) & 1u << 10);
	p = find("MCFG");
	assert_int_equal(get(p + 4, 4), 60);
	assert_int_equal(get(p + 44, 8), 0xfef00000);
	assert_int_equal(get(p + 52, 4), 0);
	assert_null(find("APIC"));
	assert_null(find("HPET"));
	assert_int_equal(t.len % 4096, 0);
}

static void test_madt_hpet(void **state)
{
	static const unsigned counts[] = { 1, 2, 255 };

	(void)state;
	for (unsigned c = 0; c < 3; c++) {
		unsigned lapics = 0, ioapics = 0, overrides = 0, nmis = 0;
		const uint8_t *p, *e;

		make(counts[c], true, true);
		p = find("APIC");
		assert_int_equal(get(p + 36, 4), 0xfee00000);
		assert_int_equal(get(p + 40, 4), 1);
		for (e = p + 44; e < p + get(p + 4, 4); e += e[1]) {
			static const uint8_t length[] = { 8, 12, 10, 0, 6 };

			assert_true(e[0] < 5);
			assert_int_equal(e[1], length[e[0]]);
			if (e[0] == 0) {
				assert_int_equal(e[3], lapics);
				assert_int_equal(get(e + 4, 4), 1);
				lapics++;
			} else if (e[0] == 1) {
				assert_int_equal(e[2], 0);
				assert_int_equal(get(e + 4, 4), 0xfec00000);
				assert_int_equal(get(e + 8, 4), 0);
				ioapics++;
			} else if (e[0] == 2) {
				assert_int_equal(get(e + 4, 4), e[3] ? e[3] : 2);
				assert_int_equal(get(e + 8, 2), e[3] ? 0x0d : 0);
				overrides++;
			} else {
				nmis++;
			}
		}
		assert_ptr_equal(e, p + get(p + 4, 4));
		assert_int_equal(lapics, counts[c]);
		assert_int_equal(ioapics, 1);
		assert_int_equal(overrides, 4);
		assert_int_equal(nmis, 1);
		p = find("HPET");
		assert_int_equal(get(p + 36, 4), 0x8086a201);
		assert_int_equal(get(p + 44, 8), 0xfed00000);
	}
}

/* Does what firmware does with the loader's commands; the result must be what linking makes. */
static void test_commands(void **state)
{
	static uint8_t commands[64 * 128];
	static struct acpi_tables raw;
	size_t len;

	(void)state;
	make(3, true, true);
	acpi_tables_make(&raw, &(struct acpi_facts){ .cpus = 3, .ecam = 0xfef00000, .apic = true, .hpet = true });
	assert_int_equal(acpi_tables_commands(&raw, commands, 128), 0);
	len = acpi_tables_commands(&raw, commands, sizeof(commands));
	assert_true(len && len % 128 == 0);
	for (const uint8_t *c = commands; c < commands + len; c += 128) {
		const char *name = (const char *)c + 4;
		uint8_t *file = strcmp(name, "etc/acpi/rsdp") ? raw.bytes : raw.rsdp;
		uint32_t size = file == raw.rsdp ? ACPI_RSDP_BYTES : raw.len;

		assert_true(file == raw.rsdp || !strcmp(name, "etc/acpi/tables"));
		if (get(c, 4) == 1) {
			assert_true(c < commands + 256);
			assert_true(get(c + 60, 4) == (file == raw.rsdp ? 16 : 64) && c[64] == (file == raw.rsdp ? 2 : 1));
		} else if (get(c, 4) == 2) {
			uint64_t at = get(c + 116, 4), v;

			assert_string_equal((const char *)c + 60, "etc/acpi/tables");
			assert_true(at + c[120] <= size && (c[120] == 4 || c[120] == 8));
			v = get(file + at, c[120]) + BASE;
			memcpy(file + at, &v, c[120]);
		} else {
			uint8_t sum = 0;

			assert_int_equal(get(c, 4), 3);
			assert_true(get(c + 64, 4) + get(c + 68, 4) <= size);
			for (uint64_t i = 0; i < get(c + 68, 4); i++)
				sum = (uint8_t)(sum + file[get(c + 64, 4) + i]);
			file[get(c + 60, 4)] = (uint8_t)(file[get(c + 60, 4)] - sum);
		}
	}
	assert_memory_equal(raw.rsdp, t.rsdp, sizeof(t.rsdp));
	assert_memory_equal(raw.bytes, t.bytes, t.len);
}

static void check_smbios(uint64_t low, uint64_t high)
{
	static struct smbios s;
	unsigned count = 0, seen[128] = { 0 };
	uint64_t mapped = 0;
	const uint8_t *p;

	smbios_make(&s, 1, low, high);
	smbios_link(&s, 0xf0100);
	assert_memory_equal(s.entry, "_SM_", 4);
	assert_memory_equal(s.entry + 16, "_DMI_", 5);
	assert_true(sums_to_zero(s.entry, 31) && sums_to_zero(s.entry + 16, 15));
	assert_int_equal(get(s.entry + 24, 4), 0xf0100);
	for (p = s.bytes; p < s.bytes + s.len; count++) {
		const uint8_t *start = p;
		unsigned strings = 0;

		assert_true(p[0] < 128 && p[1] >= 4);
		seen[p[0]]++;
		for (p += p[1]; p[0] || p[1]; p++)
			strings += !p[0];
		p += 2;
		strings += p - start > start[1] + 2;
		assert_true((uint64_t)(p - start) <= get(s.entry + 8, 2));
		if (start[0] == 0)
			assert_int_equal(strings, 3);
		if (start[0] == 19)
			mapped += get(start + 4, 4) == UINT32_MAX ? get(start + 23, 8) - get(start + 15, 8) + 1
								  : (get(start + 8, 4) - get(start + 4, 4) + 1) << 10;
		if (start[0] == 17)
			assert_int_equal(get(start + 12, 2) == 0x7fff ? get(start + 28, 4) : get(start + 12, 2),
					 (low + high) >> 20);
		if (start[0] == 16 && get(start + 7, 4) != 0x80000000u)
			assert_int_equal(get(start + 7, 4), (low + high) >> 10);
	}
	assert_ptr_equal(p, s.bytes + s.len);
	assert_int_equal(get(s.entry + 22, 2), s.len);
	assert_int_equal(get(s.entry + 28, 2), count);
	assert_int_equal(mapped, low + high);
	assert_true(seen[0] == 1 && seen[1] == 1 && seen[3] == 1 && seen[4] == 1 && seen[16] == 1 && seen[17] == 1 &&
		    seen[32] == 1 && seen[127] == 1);
}

static void test_smbios(void **state)
{
	(void)state;
	check_smbios(128ull << 20, 0);
	check_smbios(3ull << 30, 0);
	check_smbios(3ull << 30, 1ull << 30);
	check_smbios(3ull << 30, (1ull << 40) - (3ull << 30));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_madt_hpet),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_smbios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
