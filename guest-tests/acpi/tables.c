/* ACPI tables and SMBIOS structures, found by the scans that operating systems make (ACPI 6.4, 5.2.5.1; DSP0134 2.8, 5.2.1). */
#include "guest-tests/acpi/acpi.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"

#define SCAN_FROM 0xe0000ull
#define SCAN_TO 0x100000ull
#define EBDA_POINTER 0x40eull
#define EBDA_BYTES 1024u
#define MAP_ACPI 3u
#define MAP_NVS 4u

static uint8_t sum(const uint8_t *p, uint64_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* An address in low memory, which the compiler may not take for a null pointer's surroundings. */
static const uint8_t *at(uint64_t address)
{
	__asm__("" : "+r"(address));
	return (const uint8_t *)address;
}

static const uint8_t *scan(uint64_t from, uint64_t to, const char *anchor, unsigned n)
{
	for (; from + n <= to; from += 16)
		if (!memcmp(at(from), anchor, n))
			return at(from);
	return NULL;
}

static const uint8_t *rsdp(void)
{
	uint64_t ebda = get(at(EBDA_POINTER), 2) << 4;
	const uint8_t *p = ebda >= 0x400 ? scan(ebda, ebda + EBDA_BYTES, "RSD PTR ", 8) : NULL;

	return p ? p : scan(SCAN_FROM, SCAN_TO, "RSD PTR ", 8);
}

static const uint8_t *table(uint64_t address)
{
	const uint8_t *p = at(address);
	uint64_t len = get(p + 4, 4);

	if (!expect(address >= SCAN_FROM && address + len <= SCAN_TO && len >= 36, "a table of 0x%lx bytes at 0x%lx", len, address))
		return NULL;
	return expect(!sum(p, len), "the table at 0x%lx does not sum to zero", address) ? p : NULL;
}

static const uint8_t *find_by(const uint8_t *root, unsigned entry, const char *signature)
{
	uint64_t count = root ? (get(root + 4, 4) - 36) / entry : 0;

	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *p = table(get(root + 36 + i * entry, entry));

		if (p && !memcmp(p, signature, 4))
			return p;
	}
	return NULL;
}

const uint8_t *acpi_find(const char *signature)
{
	const uint8_t *r = rsdp(), *old, *new;

	if (!r)
		return NULL;
	old = find_by(table(get(r + 16, 4)), 4, signature);
	new = find_by(table(get(r + 24, 8)), 8, signature);
	expect(old == new, "RSDT and XSDT name different tables");
	return new;
}

void test_rsdp(void)
{
	const uint8_t *p = rsdp();
	uint64_t ebda = get(at(EBDA_POINTER), 2) << 4;

	expect(ebda >= 0x80000 && ebda < 0xa0000, "the BIOS data area says that the EBDA is at 0x%lx", ebda);
	if (!expect(p, "there is no RSDP"))
		return;
	expect_eq("its revision", p[15], 2);
	expect_eq("its length", get(p + 20, 4), 36);
	expect_eq("the sum of the old part", sum(p, 20), 0);
	expect_eq("the sum of all", sum(p, 36), 0);
}

void test_tables(void)
{
	const uint8_t *fadt = acpi_find("FACP"), *facs, *dsdt;

	if (!expect(fadt, "there is no FADT"))
		return;
	facs = at(get(fadt + 36, 4));
	dsdt = table(get(fadt + 40, 4));
	expect(!memcmp(facs, "FACS", 4), "what the FADT calls FACS is none");
	expect_eq("the FACS' alignment", (uint64_t)facs & 63, 0);
	expect(dsdt && !memcmp(dsdt, "DSDT", 4), "what the FADT calls DSDT is none");
	expect_eq("X_DSDT", get(fadt + 140, 8), (uint64_t)dsdt);
	expect_eq("the SCI", get(fadt + 46, 2), 9);
	expect(get(fadt + 56, 4) && get(fadt + 64, 4) && get(fadt + 76, 4) && get(fadt + 80, 4), "a register block is missing");
}

/* Where the tables are, the map says so; nothing of them lies in what it calls RAM. */
void test_map(void)
{
	const uint8_t *fadt = acpi_find("FACP");
	uint64_t dsdt = fadt ? get(fadt + 40, 4) : 0, facs = fadt ? get(fadt + 36, 4) : 0;
	uint32_t dsdt_type = 0, facs_type = 0, fadt_type = 0;

	for (unsigned i = 0; i < boot.range_count; i++) {
		const struct boot_range *r = &boot.range[i];

		if (dsdt - r->base < r->len)
			dsdt_type = r->type;
		if (facs - r->base < r->len)
			facs_type = r->type;
		if ((uint64_t)fadt - r->base < r->len)
			fadt_type = r->type;
	}
	expect_eq("the kind of memory of the DSDT", dsdt_type, MAP_ACPI);
	expect_eq("of the FADT", fadt_type, MAP_ACPI);
	expect_eq("of the FACS", facs_type, MAP_NVS);
}

void test_smbios(void)
{
	const uint8_t *e = scan(0xf0000, SCAN_TO, "_SM_", 4), *p, *end;
	uint64_t count = 0, kib = 0;

	if (!expect(e, "there is no entry point"))
		return;
	expect_eq("its sum", sum(e, e[5]), 0);
	expect_eq("the sum of its second part", sum(e + 16, 15), 0);
	p = at(get(e + 24, 4));
	end = p + get(e + 22, 2);
	for (; p < end && p[1] >= 4; count++) {
		if (p[0] == 16)
			kib = get(p + 7, 4);
		for (p += p[1]; p < end && (p[0] || p[1]); p++)
			;
		p += 2;
	}
	expect_eq("the length of its structures", (uint64_t)(p - end), 0);
	expect_eq("their number", count, get(e + 28, 2));
	expect(kib >= boot.mem_upper && kib <= boot.mem_upper + 1024ull, "%lu KiB of memory, but the loader told of %u", kib,
	       boot.mem_upper);
}
