#include "devices/acpi_tables.h"

#include <string.h>

#include "devices/acpi_pm.h"
#include "devices/firmware_bytes.h"
#include "devices/hpet.h"
#include "devices/ioapic.h"
#include "devices/vlapic.h"

#include "dsdt.hex" /* dsdt_aml_code: dsdt.asl, compiled */

#define HEADER_BYTES 36u
#define LENGTH_AT 4u
#define CHECKSUM_AT 9u

/* ---- the records of what depends on the address */

static void pointer(struct acpi_tables *t, bool in_rsdp, uint32_t at, uint8_t size, uint32_t offset)
{
	uint8_t *p = in_rsdp ? t->rsdp : t->bytes;

	put32(p + at, offset);
	t->fix[t->fixes++] = (struct acpi_fix){ .in_rsdp = in_rsdp, .size = size, .at = at };
}

static void sum(struct acpi_tables *t, bool in_rsdp, uint32_t at, uint32_t start, uint32_t len)
{
	t->fix[t->fixes++] = (struct acpi_fix){ .in_rsdp = in_rsdp, .at = at, .start = start, .len = len };
}

/* ---- tables */

/* Begins a table of len bytes, with its header (5.2.6). Returns where it is. */
static uint32_t begin(struct acpi_tables *t, const char *signature, uint8_t revision, uint32_t len)
{
	uint32_t at = (t->len + 15) & ~15u;
	uint8_t *p = t->bytes + at;

	memcpy(p, signature, 4);
	put32(p + LENGTH_AT, len);
	p[8] = revision;
	memcpy(p + 10, "TESSRATESSERA ", 14);
	put32(p + 24, 1);
	memcpy(p + 28, "TSRA", 4);
	put32(p + 32, 1);
	t->len = at + len;
	return at;
}

static void end(struct acpi_tables *t, uint32_t at)
{
	sum(t, false, at + CHECKSUM_AT, at, t->len - at);
}

/* 5.2.10: never summed, 64-byte aligned. */
static void facs(struct acpi_tables *t)
{
	memcpy(t->bytes, "FACS", 4);
	put32(t->bytes + LENGTH_AT, 64);
	t->bytes[32] = 2;
	t->len = ACPI_NVS_BYTES;
}

static uint32_t dsdt(struct acpi_tables *t)
{
	uint32_t at = (t->len + 15) & ~15u;

	memcpy(t->bytes + at, dsdt_aml_code, sizeof(dsdt_aml_code)); /* whole, its checksum too */
	t->len = at + sizeof(dsdt_aml_code);
	return at;
}

/* A generic address (5.2.3.2). access: 1 byte, 2 word, 3 doubleword, 0 not said. */
static void gas(uint8_t *p, uint8_t space, uint8_t bits, uint8_t access, uint64_t address)
{
	p[0] = space;
	p[1] = bits;
	p[3] = access;
	put64(p + 4, address);
}

#define SPACE_MEMORY 0
#define SPACE_IO 1

/* FADT (5.2.9). */
#define FADT_BYTES 276u
#define BOOT_LEGACY 0x0001u
#define BOOT_8042 0x0002u
#define FADT_WBINVD 0x0001u
#define FADT_PROC_C1 0x0004u
#define FADT_SLP_BUTTON 0x0020u /* there is none among the fixed registers */
#define FADT_FIX_RTC 0x0040u	/* nor the RTC's wake event */
#define FADT_RESET 0x0400u
#define NO_C_STATE 0x0fffu
#define RESET_PORT 0xcf9u
#define RESET_VALUE 0x06u

static uint32_t fadt(struct acpi_tables *t, uint32_t dsdt_at)
{
	uint32_t at = begin(t, "FACP", 6, FADT_BYTES);
	uint8_t *p = t->bytes + at;

	pointer(t, false, at + 36, 4, 0); /* FACS */
	pointer(t, false, at + 40, 4, dsdt_at);
	p[45] = 1; /* a desktop */
	put16(p + 46, ACPI_SCI);
	put32(p + 56, ACPI_PM_PORT);
	put32(p + 64, ACPI_PM_PORT + 4);
	put32(p + 76, ACPI_PM_PORT + 8);
	put32(p + 80, ACPI_GPE_PORT);
	p[88] = 4; /* lengths: PM1 events, PM1 control, timer, GPE0 */
	p[89] = 2;
	p[91] = 4;
	p[92] = ACPI_GPE_PORTS;
	put16(p + 96, NO_C_STATE);
	put16(p + 98, NO_C_STATE);
	p[108] = 0x32; /* the century in CMOS RAM */
	put16(p + 109, BOOT_LEGACY | BOOT_8042);
	put32(p + 112, FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_RESET);
	gas(p + 116, SPACE_IO, 8, 1, RESET_PORT);
	p[128] = RESET_VALUE;
	p[131] = 4; /* 6.4 */
	pointer(t, false, at + 140, 8, dsdt_at);
	gas(p + 148, SPACE_IO, 32, 2, ACPI_PM_PORT);
	gas(p + 172, SPACE_IO, 16, 2, ACPI_PM_PORT + 4);
	gas(p + 208, SPACE_IO, 32, 3, ACPI_PM_PORT + 8);
	gas(p + 220, SPACE_IO, 8 * ACPI_GPE_PORTS, 1, ACPI_GPE_PORT);
	end(t, at);
	return at;
}

/* MADT (5.2.12). */
#define MADT_PCAT_COMPAT 1u
#define MADT_LAPIC_BYTES 8u
#define MADT_IOAPIC_BYTES 12u
#define MADT_OVERRIDE_BYTES 10u
#define MADT_NMI_BYTES 6u
#define CONFORMS 0u
#define LEVEL_HIGH 0x0du /* level-triggered, active high */

static uint32_t madt(struct acpi_tables *t, unsigned cpus)
{
	/* Timer, SCI, and what _PRT names. */
	static const struct {
		uint8_t irq, gsi, flags;
	} override[] = { { 0, 2, CONFORMS }, { ACPI_SCI, ACPI_SCI, LEVEL_HIGH }, { 10, 10, LEVEL_HIGH }, { 11, 11, LEVEL_HIGH } };
	const unsigned overrides = sizeof(override) / sizeof(override[0]);
	uint32_t at = begin(t, "APIC", 5,
			    HEADER_BYTES + 8 + cpus * MADT_LAPIC_BYTES + MADT_IOAPIC_BYTES + overrides * MADT_OVERRIDE_BYTES +
				    MADT_NMI_BYTES);
	uint8_t *p = t->bytes + at + HEADER_BYTES;

	put32(p, VLAPIC_BASE);
	put32(p + 4, MADT_PCAT_COMPAT);
	p += 8;
	for (unsigned i = 0; i < cpus; i++, p += MADT_LAPIC_BYTES) {
		p[0] = 0;
		p[1] = MADT_LAPIC_BYTES;
		p[2] = p[3] = (uint8_t)i;
		put32(p + 4, 1); /* enabled */
	}
	p[0] = 1;
	p[1] = MADT_IOAPIC_BYTES;
	put32(p + 4, IOAPIC_BASE);
	p += MADT_IOAPIC_BYTES;
	for (unsigned i = 0; i < overrides; i++, p += MADT_OVERRIDE_BYTES) {
		p[0] = 2;
		p[1] = MADT_OVERRIDE_BYTES;
		p[3] = override[i].irq;
		put32(p + 4, override[i].gsi);
		put16(p + 8, override[i].flags);
	}
	p[0] = 4; /* the local APICs' NMI: LINT1 of all */
	p[1] = MADT_NMI_BYTES;
	p[2] = 0xff;
	p[5] = 1;
	end(t, at);
	return at;
}

/* IA-PC HPET 1.0a, 3.2.4. */
#define HPET_MIN_TICK 100u

static uint32_t hpet(struct acpi_tables *t)
{
	uint32_t at = begin(t, "HPET", 1, 56);
	uint8_t *p = t->bytes + at;

	put32(p + 36, HPET_ID);
	gas(p + 40, SPACE_MEMORY, 64, 0, HPET_BASE);
	put16(p + 53, HPET_MIN_TICK);
	end(t, at);
	return at;
}

/* PCI Firmware Specification 3.0, 4.1.2: bus 0 of segment 0. */
static uint32_t mcfg(struct acpi_tables *t, uint64_t ecam)
{
	uint32_t at = begin(t, "MCFG", 1, HEADER_BYTES + 8 + 16);

	put64(t->bytes + at + HEADER_BYTES + 8, ecam);
	end(t, at);
	return at;
}

static uint32_t root(struct acpi_tables *t, const char *signature, uint8_t entry, const uint32_t *table, unsigned count)
{
	uint32_t at = begin(t, signature, 1, HEADER_BYTES + count * entry);

	for (unsigned i = 0; i < count; i++)
		pointer(t, false, at + HEADER_BYTES + i * entry, entry, table[i]);
	end(t, at);
	return at;
}

/* 5.2.5.3 */
static void rsdp(struct acpi_tables *t, uint32_t rsdt, uint32_t xsdt)
{
	memcpy(t->rsdp, "RSD PTR ", 8);
	memcpy(t->rsdp + 9, "TESSRA", 6);
	t->rsdp[15] = 2;
	pointer(t, true, 16, 4, rsdt);
	put32(t->rsdp + 20, ACPI_RSDP_BYTES);
	pointer(t, true, 24, 8, xsdt);
	sum(t, true, 8, 0, 20);
	sum(t, true, 32, 0, ACPI_RSDP_BYTES);
}

_Static_assert(ACPI_NVS_BYTES + sizeof(dsdt_aml_code) + ACPI_CPUS_MAX * MADT_LAPIC_BYTES + 1024 < ACPI_TABLES_BYTES, "they fit");

void acpi_tables_make(struct acpi_tables *t, const struct acpi_facts *facts)
{
	uint32_t table[4], dsdt_at, rsdt;
	unsigned count = 0;

	memset(t, 0, sizeof(*t));
	facs(t);
	dsdt_at = dsdt(t);
	table[count++] = fadt(t, dsdt_at);
	table[count++] = mcfg(t, facts->ecam);
	if (facts->apic)
		table[count++] = madt(t, facts->cpus < ACPI_CPUS_MAX ? facts->cpus : ACPI_CPUS_MAX);
	if (facts->hpet)
		table[count++] = hpet(t);
	rsdt = root(t, "RSDT", 4, table, count);
	rsdp(t, rsdt, root(t, "XSDT", 8, table, count));
	t->len = (t->len + 0xfff) & ~0xfffu;
}

void acpi_tables_link(struct acpi_tables *t, uint32_t base)
{
	for (unsigned i = 0; i < t->fixes; i++) {
		const struct acpi_fix *f = &t->fix[i];
		uint8_t *in = f->in_rsdp ? t->rsdp : t->bytes, *p = in + f->at;

		if (f->size)
			put32(p, (uint32_t)(p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24) + base);
		else
			*p = checksum(in + f->start, f->len);
	}
}

/* ---- the same for firmware */

#define FILE_BYTES 56u
enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_FSEG = 2 };
static const char rsdp_file[] = "etc/acpi/rsdp", tables_file[] = "etc/acpi/tables";

static void command_allocate(uint8_t *c, const char *file, uint32_t align, uint8_t zone)
{
	put32(c, ALLOCATE);
	memcpy(c + 4, file, strlen(file));
	put32(c + 4 + FILE_BYTES, align);
	c[8 + FILE_BYTES] = zone;
}

static void command_fix(uint8_t *c, const struct acpi_fix *f)
{
	const char *file = f->in_rsdp ? rsdp_file : tables_file;

	put32(c, f->size ? ADD_POINTER : ADD_CHECKSUM);
	memcpy(c + 4, file, strlen(file));
	if (f->size) {
		memcpy(c + 4 + FILE_BYTES, tables_file, sizeof(tables_file) - 1);
		put32(c + 4 + 2 * FILE_BYTES, f->at);
		c[8 + 2 * FILE_BYTES] = f->size;
	} else {
		put32(c + 4 + FILE_BYTES, f->at);
		put32(c + 8 + FILE_BYTES, f->start);
		put32(c + 12 + FILE_BYTES, f->len);
	}
}

size_t acpi_tables_commands(const struct acpi_tables *t, uint8_t *out, size_t cap)
{
	size_t len = (2 + t->fixes) * (size_t)ACPI_LOADER_COMMAND;

	if (cap < len)
		return 0;
	memset(out, 0, len);
	command_allocate(out, rsdp_file, 16, ZONE_FSEG);
	command_allocate(out + ACPI_LOADER_COMMAND, tables_file, 64, ZONE_HIGH);
	for (unsigned i = 0; i < t->fixes; i++)
		command_fix(out + (2 + i) * ACPI_LOADER_COMMAND, &t->fix[i]);
	return len;
}
