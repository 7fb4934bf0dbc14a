#include "devices/smbios.h"

#include <string.h>

#include "devices/firmware_bytes.h"

#define VERSION_MAJOR 2u
#define VERSION_MINOR 8u
#define NO_HANDLE 0xffffu
#define NO_ERROR_HANDLE 0xfffeu
#define MAKER "Tessera"

/* Handles: a type's first structure is at type << 8, as many firmwares have it. */
#define HANDLE(type) ((uint16_t)((type) << 8))

/* Begins a structure with a formatted area of len bytes. */
static uint8_t *begin(struct smbios *s, uint8_t type, uint8_t len, uint16_t handle)
{
	uint8_t *p = s->bytes + s->len;

	p[0] = type;
	p[1] = len;
	put16(p + 2, handle);
	return p;
}

/* Ends it with its strings, separated by line feeds; "" for none (6.1.3). */
static void end(struct smbios *s, uint8_t *p, const char *strings)
{
	uint8_t *q = p + p[1];
	uint16_t bytes;

	for (; *strings; strings++)
		*q++ = *strings == '\n' ? 0 : (uint8_t)*strings;
	q += 2; /* the last string's end and the set's; an empty set has two as well */
	bytes = (uint16_t)(q - p);
	s->len = (uint16_t)(s->len + bytes);
	s->count++;
	if (bytes > s->largest)
		s->largest = bytes;
}

/* Type 0 (7.1). */
static void bios(struct smbios *s)
{
	uint8_t *p = begin(s, 0, 0x18, HANDLE(0));

	p[4] = 1;
	p[5] = 2;
	put16(p + 6, 0xf000);
	p[8] = 3;
	put64(p + 10, 1u << 3); /* characteristics are not told */
	p[0x13] = 0x10;		/* a virtual machine */
	p[0x14] = 1;
	p[0x16] = p[0x17] = 0xff;
	end(s, p, MAKER "\n1.0\n01/01/2026");
}

/* Type 1 (7.2). The UUID is not set: all ones would say "may be set", zeros "none". */
static void machine(struct smbios *s)
{
	uint8_t *p = begin(s, 1, 0x1b, HANDLE(1));

	p[4] = 1;
	p[5] = 2;
	p[6] = 3;
	p[0x18] = 6; /* woken by the power switch */
	end(s, p, MAKER "\nTessera PC\n1");
}

/* Type 3 (7.4). */
static void chassis(struct smbios *s)
{
	uint8_t *p = begin(s, 3, 0x16, HANDLE(3));

	p[4] = 1;
	p[5] = 1;		      /* other */
	p[9] = p[0x0a] = p[0x0b] = 3; /* boot state, supply, temperature: safe */
	p[0x0c] = 3;		      /* no security */
	end(s, p, MAKER);
}

/* Type 4 (7.5). */
static void processor(struct smbios *s, unsigned n)
{
	uint8_t *p = begin(s, 4, 0x2a, (uint16_t)(HANDLE(4) + n));

	p[4] = 1;
	p[5] = 3; /* a central processor */
	p[6] = 1; /* of another family */
	p[7] = 2;
	p[0x18] = 0x41; /* populated, enabled */
	p[0x19] = 1;
	put16(p + 0x1a, NO_HANDLE);
	put16(p + 0x1c, NO_HANDLE);
	put16(p + 0x1e, NO_HANDLE);
	p[0x23] = p[0x24] = p[0x25] = 1;
	put16(p + 0x26, 1u << 2); /* 64-bit */
	put16(p + 0x28, 1);
	end(s, p, "CPU\n" MAKER);
}

/* Types 16 and 17 (7.17, 7.18). */
static void memory(struct smbios *s, uint64_t bytes)
{
	uint8_t *p = begin(s, 16, 0x17, HANDLE(16));
	uint64_t kib = bytes >> 10, mib = bytes >> 20;

	p[4] = 1; /* elsewhere */
	p[5] = 3; /* system memory */
	p[6] = 3; /* without error correction */
	put32(p + 7, kib < 0x80000000u ? (uint32_t)kib : 0x80000000u);
	put16(p + 0x0b, NO_ERROR_HANDLE);
	put16(p + 0x0d, 1);
	put64(p + 0x0f, kib < 0x80000000u ? 0 : bytes);
	end(s, p, "");
	p = begin(s, 17, 0x28, HANDLE(17));
	put16(p + 4, HANDLE(16));
	put16(p + 6, NO_ERROR_HANDLE);
	put16(p + 8, 0xffff);
	put16(p + 0x0a, 0xffff);
	put16(p + 0x0c, mib < 0x7fff ? (uint16_t)mib : 0x7fff);
	p[0x0e] = 9; /* a DIMM */
	p[0x10] = 1;
	p[0x12] = 7; /* RAM */
	put16(p + 0x13, 1u << 1);
	p[0x17] = 2;
	put32(p + 0x1c, mib < 0x7fff ? 0 : (uint32_t)mib);
	end(s, p, "DIMM 0\n" MAKER);
}

/* Type 19 (7.20): a piece of the address space that this memory is at. */
static void mapped(struct smbios *s, unsigned n, uint64_t base, uint64_t bytes)
{
	uint64_t last = base + bytes - 1;
	uint8_t *p;

	if (!bytes)
		return;
	p = begin(s, 19, 0x1f, (uint16_t)(HANDLE(19) + n));
	if (last >> 10 < UINT32_MAX) {
		put32(p + 4, (uint32_t)(base >> 10));
		put32(p + 8, (uint32_t)(last >> 10));
	} else {
		put32(p + 4, UINT32_MAX);
		put64(p + 0x0f, base);
		put64(p + 0x17, last);
	}
	put16(p + 0x0c, HANDLE(16));
	p[0x0e] = 1;
	end(s, p, "");
}

void smbios_make(struct smbios *s, unsigned cpus, uint64_t ram_low, uint64_t ram_high)
{
	memset(s, 0, sizeof(*s));
	bios(s);
	machine(s);
	chassis(s);
	for (unsigned i = 0; i < cpus && i < 4; i++)
		processor(s, i);
	memory(s, ram_low + ram_high);
	mapped(s, 0, 0, ram_low);
	mapped(s, 1, 1ull << 32, ram_high);
	end(s, begin(s, 32, 0x0b, HANDLE(32)), ""); /* booted without an error (7.33) */
	end(s, begin(s, 127, 4, HANDLE(127)), "");
	smbios_link(s, 0);
}

/* 5.2.1 */
void smbios_link(struct smbios *s, uint32_t address)
{
	uint8_t *e = s->entry;

	memset(e, 0, SMBIOS_ENTRY_BYTES);
	memcpy(e, "_SM_", 4);
	e[5] = SMBIOS_ENTRY_BYTES;
	e[6] = VERSION_MAJOR;
	e[7] = VERSION_MINOR;
	put16(e + 8, s->largest);
	memcpy(e + 0x10, "_DMI_", 5);
	put16(e + 0x16, s->len);
	put32(e + 0x18, address);
	put16(e + 0x1c, s->count);
	e[0x1e] = VERSION_MAJOR << 4 | VERSION_MINOR;
	e[0x15] = checksum(e + 0x10, 15);
	e[4] = checksum(e, SMBIOS_ENTRY_BYTES);
}
