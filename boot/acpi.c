/* ACPI tables, read with distrust: signature, length and checksum of each are checked, and every entry stays inside its table. */
#include "boot/acpi.h"

#include <string.h>

#include "vmm/log.h"

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	/* since revision 2 */
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum_all;
	uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 6.4 table 5.3");

#define RSDP_OLD_SIZE 20u

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 6.4 table 5.4");

#define TABLE_MAX 0x100000u
#define TABLES_MAX 256u

/* MADT entries (ACPI 6.4 5.2.12), as far as they are read. */
enum madt_type {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_ADDRESS = 5,
	MADT_X2APIC = 9,
};

#define CPU_ENABLED 1u

static uint32_t get16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool sums_to_zero(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	return !sum;
}

static const struct acpi_rsdp *rsdp_at(const struct boot_view *v, uint64_t address, struct acpi_rsdp *copy)
{
	const void *p = v->map(v, address, RSDP_OLD_SIZE);
	if (!p || memcmp(p, "RSD PTR ", 8) || !sums_to_zero(p, RSDP_OLD_SIZE))
		return NULL;
	memset(copy, 0, sizeof(*copy));
	memcpy(copy, p, RSDP_OLD_SIZE);
	if (copy->revision < 2)
		return copy;
	/* A broken extension leaves the old part, which is sound. */
	p = v->map(v, address, sizeof(*copy));
	if (p && sums_to_zero(p, sizeof(*copy)))
		memcpy(copy, p, sizeof(*copy));
	return copy;
}

static const struct acpi_rsdp *scan(const struct boot_view *v, uint64_t start, uint64_t len, struct acpi_rsdp *copy)
{
	for (uint64_t at = start; at < start + len; at += 16) {
		if (rsdp_at(v, at, copy))
			return copy;
	}
	return NULL;
}

/* The loader's copy; the first KiB of the extended BIOS data area, whose segment the word at 40:0e gives; the BIOS area. */
static const struct acpi_rsdp *find_rsdp(const struct boot_info *bi, const struct boot_view *v, struct acpi_rsdp *copy)
{
	if (bi->rsdp && rsdp_at(v, bi->rsdp, copy))
		return copy;
	const uint8_t *word = v->map(v, 0x40e, 2);
	uint64_t ebda = word ? (uint64_t)get16(word) << 4 : 0;
	if (ebda >= 0x400 && ebda < 0xa0000 && scan(v, ebda, 0x400, copy))
		return copy;
	return scan(v, 0xe0000, 0x20000, copy);
}

/* The table at address if it is sound and has the signature (NULL: any). */
static const struct acpi_header *table_at(const struct boot_view *v, uint64_t address, const char *signature)
{
	const struct acpi_header *h = v->map(v, address, sizeof(*h));
	if (!h || (signature && memcmp(h->signature, signature, 4)))
		return NULL;
	uint32_t length = h->length;
	if (length < sizeof(*h) || length > TABLE_MAX || !v->map(v, address, length) || !sums_to_zero(h, length)) {
		log_warn("ACPI: the table %.4s at %llx has a wrong length or checksum: not used", h->signature,
			 (unsigned long long)address);
		return NULL;
	}
	return h;
}

static void add_cpu(struct boot_info *bi, uint32_t apic_id, uint32_t flags)
{
	if (!(flags & CPU_ENABLED))
		return;
	for (unsigned i = 0; i < bi->cpu_count; i++) {
		if (bi->cpu_apic_id[i] == apic_id)
			return;
	}
	if (bi->cpu_count == BOOT_CPUS_MAX) {
		log_warn("ACPI: more than 64 CPUs: the one with APIC id %u is left out", apic_id);
		return;
	}
	bi->cpu_apic_id[bi->cpu_count++] = apic_id;
}

/* The I/O APIC with the lowest interrupts has ISA's. */
static void add_ioapic(struct boot_info *bi, uint32_t address, uint32_t gsi_base)
{
	if (!bi->ioapic_base || gsi_base < bi->ioapic_gsi_base) {
		bi->ioapic_base = address;
		bi->ioapic_gsi_base = gsi_base;
	}
}

static void madt_entry(struct boot_info *bi, const uint8_t *e)
{
	static const uint8_t length[] = {
		[MADT_LAPIC] = 8, [MADT_IOAPIC] = 12, [MADT_OVERRIDE] = 10, [MADT_LAPIC_ADDRESS] = 12, [MADT_X2APIC] = 16
	};
	if (e[0] >= sizeof(length) || !length[e[0]])
		return;
	if (e[1] < length[e[0]]) {
		log_warn("ACPI: the MADT has an entry of type %u that is too short: not used", e[0]);
		return;
	}
	switch ((enum madt_type)e[0]) {
	case MADT_LAPIC: add_cpu(bi, e[3], get32(e + 4)); break;
	case MADT_X2APIC: add_cpu(bi, get32(e + 4), get32(e + 8)); break;
	case MADT_IOAPIC: add_ioapic(bi, get32(e + 4), get32(e + 8)); break;
	case MADT_LAPIC_ADDRESS: bi->lapic_base = get64(e + 4); break;
	case MADT_OVERRIDE:
		if (!e[2] && e[3] < 16) { /* bus 0 is ISA */
			bi->isa_gsi[e[3]] = get32(e + 4);
			bi->isa_flags[e[3]] = get16(e + 8) & 0xf;
		}
		break;
	}
}

static void read_madt(struct boot_info *bi, const struct acpi_header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	if (h->length < sizeof(*h) + 8)
		return;
	bi->lapic_base = get32(p + sizeof(*h));
	for (uint32_t at = sizeof(*h) + 8; h->length - at >= 2; at += p[at + 1]) {
		if (p[at + 1] < 2 || p[at + 1] > h->length - at) {
			log_warn("ACPI: the MADT's entry at offset %u has a wrong length: the rest is not used", at);
			return;
		}
		madt_entry(bi, p + at);
	}
}

/* The power management timer (ACPI 6.4 5.2.9: PM_TMR_BLK, PM_TMR_LEN, Flags). */
static void read_fadt(struct boot_info *bi, const struct acpi_header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	if (h->length < 116 || p[91] != 4 || !get32(p + 76) || get32(p + 76) > 0xfffc)
		return;
	bi->pm_timer_port = (uint16_t)get32(p + 76);
	bi->pm_timer_32 = get32(p + 112) >> 8 & 1;
}

/* IA-PC HPET specification 1.0a 3.2.4: a generic address at offset 40, in memory. */
static void read_hpet(struct boot_info *bi, const struct acpi_header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	if (h->length >= 52 && p[40] == 0)
		bi->hpet_base = get64(p + 44);
}

static void read_table(struct boot_info *bi, const struct boot_view *v, uint64_t address)
{
	static const struct {
		const char *signature;
		void (*read)(struct boot_info *bi, const struct acpi_header *h);
	} readers[] = { { "APIC", read_madt }, { "FACP", read_fadt }, { "HPET", read_hpet } };
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		const struct acpi_header *h = table_at(v, address, readers[i].signature);
		if (h)
			readers[i].read(bi, h);
	}
}

/* Reads all tables that the RSDT (4-byte pointers) or XSDT (8-byte ones) names; false when it is not sound itself. */
static bool read_root(struct boot_info *bi, const struct boot_view *v, uint64_t address, const char *signature, uint32_t entry)
{
	const struct acpi_header *root = address ? table_at(v, address, signature) : NULL;
	if (!root)
		return false;
	const uint8_t *p = (const uint8_t *)root;
	uint32_t count = (root->length - (uint32_t)sizeof(*root)) / entry;
	for (uint32_t i = 0; i < count && i < TABLES_MAX; i++) {
		const uint8_t *e = p + sizeof(*root) + i * entry;
		read_table(bi, v, entry == 8 ? get64(e) : get32(e));
	}
	return true;
}

void acpi_read(struct boot_info *bi, const struct boot_view *v)
{
	struct acpi_rsdp copy;
	for (unsigned i = 0; i < 16; i++) {
		bi->isa_gsi[i] = i;
		bi->isa_flags[i] = 0;
	}
	const struct acpi_rsdp *rsdp = find_rsdp(bi, v, &copy);
	if (!rsdp) {
		log_warn("ACPI: no root pointer found: one CPU, the old interrupt controllers");
		return;
	}
	if (!(rsdp->revision >= 2 && read_root(bi, v, rsdp->xsdt, "XSDT", 8)) && !read_root(bi, v, rsdp->rsdt, "RSDT", 4)) {
		log_warn("ACPI: neither XSDT nor RSDT is sound: one CPU, the old interrupt controllers");
		return;
	}
	if (!bi->cpu_count)
		log_warn("ACPI: no MADT, or it names no CPU");
	if (!bi->ioapic_base)
		log_warn("ACPI: no I/O APIC");
}
