/*
 * The walker of guests' page tables against a model written from the manual alone (Intel SDM vol. 3, chapter 4): one plain function
 * for each paging mode, with the manual's bit numbers.
 */
/* links: mm/walk.c mm/pt_format.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/walk.h"
#include "tests/unit/random.h"

/* ---- memory: two windows, one above 4 GiB; nothing else is there */

#define FRAMES 16u
#define LOW 0x100000ull
#define HIGH 0x900000000ull /* bits 35 and 32 */

static uint64_t memory[2][FRAMES * 512];
static struct write {
	uint64_t addr, value;
} writes[64];
static unsigned write_count, read_count;

/* What another CPU does to an entry just before each of the next cas calls. */
static unsigned rivals;
static uint64_t rival_clear, rival_flip;
static bool read_only_memory;

static void *at(uint64_t addr, unsigned size)
{
	uint64_t base = addr >= HIGH ? HIGH : LOW;

	if (addr < base || addr - base > sizeof(memory[0]) - size)
		return NULL;
	return (uint8_t *)memory[base == HIGH] + (addr - base);
}

static uint64_t load(uint64_t addr, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, at(addr, size), size);
	return v;
}

static void store(uint64_t addr, unsigned size, uint64_t v)
{
	memcpy(at(addr, size), &v, size);
}

static int mem_read(void *arg, uint64_t addr, unsigned size, uint64_t *value)
{
	assert_ptr_equal(arg, memory);
	assert_true((size == 4 || size == 8) && addr % size == 0);
	read_count++;
	if (!at(addr, size))
		return -EFAULT;
	*value = load(addr, size);
	return 0;
}

static int mem_cas(void *arg, uint64_t addr, unsigned size, uint64_t old, uint64_t value)
{
	assert_ptr_equal(arg, memory);
	assert_non_null(at(addr, size));
	if (read_only_memory)
		return -EFAULT;
	if (rivals) {
		rivals--;
		store(addr, size, (load(addr, size) & ~rival_clear) ^ rival_flip);
	}
	if (load(addr, size) != old)
		return 1;
	store(addr, size, value);
	assert_true(write_count < 64);
	writes[write_count++] = (struct write){ .addr = addr, .value = value };
	return 0;
}

static const struct walk_mem mem = { .read = mem_read, .cas = mem_cas, .arg = memory };

/* ---- the model */

struct outcome {
	int ret;
	uint32_t error;
	uint64_t gpa;
	unsigned level;
	bool u, w, xd;	       /* the translation's rights (4.6) */
	struct write entry[4]; /* those used, with the bits that the CPU sets */
	unsigned entries;
};

static uint64_t bits(unsigned hi, unsigned lo)
{
	return hi < lo ? 0 : (~0ull >> (63 - hi)) & (~0ull << lo);
}

/* An entry of a table. False: the walk ends there. `a`: it has an accessed flag, and rights. */
static bool use(struct outcome *o, uint64_t addr, unsigned size, bool a, uint64_t *entry)
{
	if (!at(addr, size)) {
		o->ret = -EFAULT;
		return false;
	}
	*entry = load(addr, size);
	o->ret = 1;
	if (!(*entry & 1))
		return false;
	if (a)
		o->entry[o->entries++] = (struct write){ .addr = addr, .value = *entry | 1 << 5 };
	return true;
}

static bool reserved(struct outcome *o, uint64_t entry, uint64_t mask, bool a)
{
	if (!(entry & mask)) {
		o->ret = 0;
		return false;
	}
	o->error |= 1 | 8;
	o->entries -= a; /* it was not used */
	return true;
}

static void rights(struct outcome *o, uint64_t e)
{
	o->u &= e >> 2 & 1;
	o->w &= e >> 1 & 1;
	o->xd |= e >> 63;
}

/* 4.3, tables 4-4 to 4-6, figure 4-2 and 4-3. */
static void model_32bit(const struct walk_mode *m, uint32_t va, struct outcome *o)
{
	unsigned maxphy = m->phys_bits < 40 ? m->phys_bits : 40;
	uint64_t pde, pte;

	if (!use(o, m->root + (va >> 22) * 4, 4, true, &pde))
		return;
	rights(o, pde);
	if (m->pse && pde >> 7 & 1) {
		if (reserved(o, pde, maxphy <= 32 ? bits(21, 13) : bits(21, maxphy - 19), true))
			return;
		o->gpa = (pde & bits(31, 22)) | (pde & bits(20, 13)) << 19 | (va & bits(21, 0));
		o->level = 2;
		return;
	}
	if (!use(o, (pde & bits(31, 12)) + (va >> 12 & 0x3ff) * 4, 4, true, &pte))
		return;
	rights(o, pte);
	o->ret = 0;
	o->gpa = (pte & bits(31, 12)) | (va & 0xfff);
	o->level = 1;
}

/* The lower two levels of PAE and 4-level paging are alike: tables 4-9 to 4-11, 4-17 to 4-20. */
static void model_pde(const struct walk_mode *m, uint64_t table, uint64_t va, uint64_t reserved_high, struct outcome *o)
{
	uint64_t pde, pte;

	if (!use(o, table + (va >> 21 & 0x1ff) * 8, 8, true, &pde))
		return;
	rights(o, pde);
	if (reserved(o, pde, reserved_high | (pde >> 7 & 1 ? bits(20, 13) : 0), true))
		return;
	if (pde >> 7 & 1) {
		o->gpa = (pde & bits(51, 21)) | (va & bits(20, 0));
		o->level = 2;
		return;
	}
	if (!use(o, (pde & bits(51, 12)) + (va >> 12 & 0x1ff) * 8, 8, true, &pte))
		return;
	rights(o, pte);
	if (reserved(o, pte, reserved_high, true))
		return;
	o->gpa = (pte & bits(51, 12)) | (va & 0xfff);
	o->level = 1;
	(void)m;
}

/* 4.4, tables 4-8 to 4-11. One bit differs: a PDPTE's bit 5 is reserved there, but no fault here, as QEMU's TCG sets it. */
static void model_pae(const struct walk_mode *m, uint32_t va, struct outcome *o)
{
	uint64_t pdpte;

	if (!use(o, m->root + (va >> 30) * 8, 8, false, &pdpte) ||
	    reserved(o, pdpte, bits(2, 1) | bits(8, 6) | bits(63, m->phys_bits), false))
		return;
	model_pde(m, pdpte & bits(51, 12), va, bits(62, m->phys_bits) | (m->nxe ? 0 : 1ull << 63), o);
}

/* 4.5, tables 4-15 to 4-20. */
static void model_4level(const struct walk_mode *m, uint64_t va, struct outcome *o)
{
	uint64_t high = bits(51, m->phys_bits) | (m->nxe ? 0 : 1ull << 63), e;

	if (!use(o, m->root + (va >> 39 & 0x1ff) * 8, 8, true, &e) || reserved(o, e, high | 1 << 7, true))
		return;
	rights(o, e);
	if (!use(o, (e & bits(51, 12)) + (va >> 30 & 0x1ff) * 8, 8, true, &e))
		return;
	rights(o, e);
	if (reserved(o, e, high | (e >> 7 & 1 ? bits(29, 13) | (m->page1g ? 0 : 1 << 7) : 0), true))
		return;
	if (e >> 7 & 1) {
		o->gpa = (e & bits(51, 30)) | (va & bits(29, 0));
		o->level = 3;
		return;
	}
	model_pde(m, e & bits(51, 12), va, high, o);
}

/* 4.6.1 */
static bool permitted(const struct walk_mode *m, const struct outcome *o, struct walk_access a)
{
	bool supervisor = !a.user || a.implicit, smap_ok = !m->smap || (m->ac && !a.implicit);

	if (supervisor && !a.write && !a.fetch)
		return o->u ? smap_ok : true;
	if (supervisor && a.write)
		return (m->wp ? o->w : true) && (o->u ? smap_ok : true);
	if (supervisor)
		return (o->u ? !m->smep : true) && !o->xd;
	if (a.fetch)
		return o->u && !o->xd;
	return o->u && (a.write ? o->w : true);
}

static struct outcome model(const struct walk_mode *m, uint64_t va, struct walk_access a)
{
	struct outcome o = { .u = true, .w = true };

	/* 4.7; bit 4 needs CR4.PAE with EFER.NXE, or CR4.SMEP */
	o.error =
		a.write << 1 | (a.user && !a.implicit) << 2 | (a.fetch && ((m->nxe && m->format != &pt_legacy32) || m->smep)) << 4;
	if (m->format == &pt_legacy32)
		model_32bit(m, (uint32_t)va, &o);
	else if (m->format == &pt_pae)
		model_pae(m, (uint32_t)va, &o);
	else
		model_4level(m, va, &o);
	if (o.ret)
		return o;
	if (!permitted(m, &o, a)) {
		o.ret = 1;
		o.error |= 1;
		o.entries--;
		return o;
	}
	o.error = 0;
	if (a.write)
		o.entry[o.entries - 1].value |= 1 << 6;
	return o;
}

/* ---- comparison */

static void describe(const struct walk_mode *m, uint64_t va, struct walk_access a)
{
	print_message("%s va 0x%llx%s%s%s%s; wp %d nxe %d smep %d smap %d ac %d pse %d phys_bits %u page1g %d\n", m->format->name,
		      (unsigned long long)va, a.write ? " write" : "", a.user ? " user" : "", a.fetch ? " fetch" : "",
		      a.implicit ? " implicit" : "", m->wp, m->nxe, m->smep, m->smap, m->ac, m->pse, m->phys_bits, m->page1g);
}

static bool same(const struct outcome *o, const struct walk_result *r, int ret)
{
	return ret == o->ret && (ret || (r->gpa == o->gpa && r->level == o->level && !r->error)) &&
	       (ret != 1 || r->error == o->error);
}

/* Whether memory is as the CPU would leave it. Tables that point to themselves use one entry twice. */
static bool entries_as_expected(const struct outcome *o, unsigned size)
{
	for (unsigned i = 0; i < o->entries; i++) {
		uint64_t value = o->entry[i].value;

		for (unsigned n = 0; n < o->entries; n++)
			value |= o->entry[n].addr == o->entry[i].addr ? o->entry[n].value : 0;
		if (load(o->entry[i].addr, size) != value)
			return false;
	}
	for (unsigned n = 0; n < write_count; n++) {
		bool known = false;

		for (unsigned i = 0; i < o->entries; i++)
			known |= writes[n].addr == o->entry[i].addr;
		if (!known)
			return false;
	}
	return true;
}

/* Walks without and with update, and puts the tables back as they were. Returns what the model says. */
static struct outcome check(const struct walk_mode *m, uint64_t va, struct walk_access a)
{
	struct walk_result r = { 0 };
	struct outcome o = model(m, va, a);
	unsigned size = m->format == &pt_legacy32 ? 4 : 8;
	uint64_t before[4];
	bool ok;

	for (unsigned i = 0; i < o.entries; i++)
		before[i] = load(o.entry[i].addr, size);
	write_count = 0;
	ok = same(&o, &r, guest_walk(m, &mem, va, a, false, &r)) && !write_count;
	if (ok) {
		memset(&r, 0x5a, sizeof(r));
		ok = same(&o, &r, guest_walk(m, &mem, va, a, true, &r)) && entries_as_expected(&o, size);
	}
	if (!ok) {
		describe(m, va, a);
		fail_msg("model: %d error %x level %u gpa %llx, %u entries; walker: error %x level %u gpa %llx, %u writes", o.ret,
			 o.error, o.level, (unsigned long long)o.gpa, o.entries, r.error, r.level, (unsigned long long)r.gpa,
			 write_count);
	}
	for (unsigned i = 0; i < o.entries; i++)
		store(o.entry[i].addr, size, before[i]);
	return o;
}

/* ---- shapes of tables: where each level's entry is for VA, and what it points to */

static const struct shape {
	const char *name;
	const struct pt_format *format;
	unsigned levels, leaf; /* of the walk; of the leaf */
	bool pse;
	uint64_t leaf_address;
} shapes[] = {
	{ "32-bit 4K", &pt_legacy32, 2, 1, false, 0x12345000 }, { "32-bit 4K, PSE", &pt_legacy32, 2, 1, true, 0xfffff000 },
	{ "32-bit 4M", &pt_legacy32, 2, 2, true, 0x12400000 },	{ "PAE 4K", &pt_pae, 3, 1, true, 0x712345000 },
	{ "PAE 2M", &pt_pae, 3, 2, false, 0x712200000 },	{ "4-level 4K", &pt_long4, 4, 1, true, 0x712345000 },
	{ "4-level 2M", &pt_long4, 4, 2, true, 0x712200000 },	{ "4-level 1G", &pt_long4, 4, 3, true, 0x740000000 },
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

#define VA 0xc0a0b0c4ull /* different indices at each level, PDPTE 3 */

static uint64_t entry_addr[5]; /* by level */

static unsigned entry_size(const struct shape *s)
{
	return s->format == &pt_legacy32 ? 4 : 8;
}

static unsigned index_of(const struct shape *s, unsigned level)
{
	return s->format == &pt_legacy32 ? VA >> (level == 2 ? 22 : 12) & 0x3ff : VA >> (12 + 9 * (level - 1)) & 0x1ff;
}

/* All rights, no A or D. Tables from the top: at LOW, then every other one above 4 GiB where entries can say so. */
static struct walk_mode build(const struct shape *s, unsigned phys_bits)
{
	struct walk_mode m = { .format = s->format,
			       .root = LOW + 0x20 * (s->format == &pt_pae),
			       .wp = true,
			       .nxe = true,
			       .pse = s->pse,
			       .phys_bits = (uint8_t)phys_bits,
			       .page1g = true };
	uint64_t table = m.root;

	memset(memory, 0, sizeof(memory));
	for (unsigned level = s->levels; level >= s->leaf; level--) {
		uint64_t next = (level & 1 || s->format == &pt_legacy32 ? LOW : HIGH) + level * 0x1000, e = next | 7;

		if (level == s->leaf)
			e = s->leaf_address | 7 | (level > 1 ? 0x80 : 0);
		if (s->format == &pt_pae && level == 3)
			e = next | 1;
		entry_addr[level] = table + index_of(s, level) * entry_size(s);
		store(entry_addr[level], entry_size(s), e);
		table = next;
	}
	return m;
}

static struct walk_access access_of(unsigned n)
{
	/* read, write, fetch by supervisor and user; implicit reads and writes at any CPL */
	static const struct walk_access t[10] = {
		{ 0 },
		{ .write = true },
		{ .fetch = true },
		{ .user = true },
		{ .user = true, .write = true },
		{ .user = true, .fetch = true },
		{ .implicit = true },
		{ .implicit = true, .write = true },
		{ .implicit = true, .user = true },
		{ .implicit = true, .user = true, .write = true },
	};

	return t[n];
}

static void set_controls(struct walk_mode *m, unsigned n)
{
	m->wp = n & 1;
	m->smep = n & 2;
	m->smap = n & 4;
	m->ac = n & 8;
	m->nxe = n & 16;
}

/* Every combination of U, W, NX at each level, of access, and of control bits. */
static void test_permissions(void **state)
{
	unsigned long walks = 0, ok = 0;

	(void)state;
	for (const struct shape *s = shapes; s < shapes + SHAPES; s++) {
		struct walk_mode m = build(s, 36);
		unsigned rights_levels = s->levels - s->leaf + 1 - (s->format == &pt_pae);
		unsigned bits_each = s->format == &pt_legacy32 ? 2 : 3;

		for (unsigned combo = 0; combo < 1u << (rights_levels * bits_each); combo++) {
			for (unsigned i = 0; i < rights_levels; i++) {
				unsigned level = s->leaf + i, b = combo >> (i * bits_each);
				uint64_t e = load(entry_addr[level], entry_size(s)) & ~(6ull | 1ull << 63);

				e |= (b & 1) << 1 | (b & 2) << 1 | (uint64_t)(bits_each == 3 && (b & 4)) << 63;
				store(entry_addr[level], entry_size(s), e);
			}
			for (unsigned controls = 0; controls < 32; controls++)
				for (unsigned a = 0; a < 10; a++) {
					set_controls(&m, controls);
					ok += check(&m, VA, access_of(a)).ret == 0;
					walks++;
				}
		}
	}
	print_message("%lu walks, %lu allowed\n", walks, ok);
	assert_true(ok > walks / 20 && ok < walks / 2);
}

/* Each bit of each level's entry alone, set where it was clear and the other way round. */
static void test_each_bit_of_each_entry(void **state)
{
	static const uint8_t phys_bits[] = { 32, 36, 40, 46, 52 };
	unsigned long faults[3] = { 0 };

	(void)state;
	for (const struct shape *s = shapes; s < shapes + SHAPES; s++)
		for (unsigned p = 0; p < sizeof(phys_bits); p++) {
			struct walk_mode m = build(s, phys_bits[p]);

			for (unsigned level = s->leaf; level <= s->levels; level++)
				for (unsigned bit = 0; bit < entry_size(s) * 8; bit++)
					for (unsigned n = 0; n < 16 * 10; n++) {
						uint64_t e = load(entry_addr[level], entry_size(s));
						struct outcome o;

						m.nxe = n & 1;
						m.page1g = n & 2;
						m.pse = n & 4;
						m.smep = n & 8;
						store(entry_addr[level], entry_size(s), e ^ 1ull << bit);
						o = check(&m, VA, access_of(n / 16));
						faults[o.ret == 1 && o.error & 8 ? 0 : o.ret == 1 ? 1 : 2]++;
						store(entry_addr[level], entry_size(s), e);
					}
		}
	print_message("%lu reserved, %lu other faults, %lu none\n", faults[0], faults[1], faults[2]);
	assert_true(faults[0] > 1000 && faults[1] > 1000 && faults[2] > 1000);
}

/* Single cases, spelled out, so that a mistake made twice is seen. */
static void test_reserved_bits_by_hand(void **state)
{
	static const struct {
		unsigned shape, level, bit;
		uint8_t phys_bits;
		bool nxe, page1g;
		uint32_t error; /* 0: fine */
	} t[] = {
		{ 2, 2, 21, 40, true, true, 9 },				  /* 4 MiB: bit 21, always */
		{ 2, 2, 20, 40, true, true, 0 },				  /* PSE-36's address bit 39 */
		{ 2, 2, 20, 39, true, true, 9 }, { 2, 2, 17, 36, true, true, 9 }, /* bit 36 of 36 */
		{ 2, 2, 16, 36, true, true, 0 }, { 2, 2, 13, 32, true, true, 9 }, { 2, 2, 12, 32, true, true, 0 }, /* PAT */
		{ 1, 2, 8, 36, true, true, 0 }, /* ignored in a PDE that points to a table */
		{ 3, 3, 1, 36, true, true, 9 }, /* PDPTE: no write right there */
		{ 3, 3, 3, 36, true, true, 0 }, /* PWT */
		{ 3, 3, 5, 36, true, true, 0 }, /* A: see model_pae */
		{ 3, 3, 6, 36, true, true, 9 },	 { 3, 3, 8, 36, true, true, 9 },  { 3, 3, 9, 36, true, true, 0 }, /* ignored */
		{ 3, 3, 63, 36, true, true, 9 }, { 3, 2, 63, 36, true, true, 0 }, { 3, 2, 63, 36, false, true, 9 },
		{ 3, 1, 62, 36, true, true, 9 }, { 3, 1, 52, 36, true, true, 9 }, { 4, 2, 13, 36, true, true, 9 },
		{ 4, 2, 12, 36, true, true, 0 }, /* PAT */
		{ 5, 4, 7, 36, true, true, 9 },	 /* PML4E: no page */
		{ 5, 1, 62, 36, true, true, 0 }, /* ignored */
		{ 5, 1, 52, 36, true, true, 0 }, { 5, 1, 51, 36, true, true, 9 }, { 5, 1, 36, 36, true, true, 9 },
		{ 5, 1, 40, 46, true, true, 0 }, { 5, 1, 46, 46, true, true, 9 }, { 5, 1, 63, 36, false, true, 9 },
		{ 7, 3, 13, 36, true, true, 9 }, { 7, 3, 29, 36, true, true, 9 }, { 7, 3, 12, 36, true, true, 0 },
		{ 7, 3, 0, 36, true, false, 0 }, /* not present at all: nothing is reserved (error 0 is below) */
		{ 7, 3, 9, 36, true, false, 9 }, /* no 1 GiB pages */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct shape *s = &shapes[t[i].shape];
		struct walk_mode m = build(s, t[i].phys_bits);
		struct walk_result r;
		int ret;

		m.nxe = t[i].nxe;
		m.page1g = t[i].page1g;
		store(entry_addr[t[i].level], entry_size(s), load(entry_addr[t[i].level], entry_size(s)) ^ 1ull << t[i].bit);
		ret = guest_walk(&m, &mem, VA, (struct walk_access){ 0 }, true, &r);
		if (ret != (t[i].error || t[i].bit == 0 ? 1 : 0) || r.error != t[i].error)
			fail_msg("case %zu, %s bit %u of level %u: %d, error %x", i, s->name, t[i].bit, t[i].level, ret, r.error);
	}
}

static void test_not_present_at_each_level(void **state)
{
	(void)state;
	for (const struct shape *s = shapes; s < shapes + SHAPES; s++)
		for (unsigned level = s->leaf; level <= s->levels; level++)
			for (unsigned a = 0; a < 10; a++) {
				struct walk_mode m = build(s, 40);

				store(entry_addr[level], entry_size(s), ~1ull); /* all else is ignored then */
				m.smep = a & 1;
				assert_int_equal(check(&m, VA, access_of(a)).ret, 1);
				assert_int_equal(check(&m, VA, access_of(a)).error & 9, 0);
			}
}

static void test_tables_in_nowhere(void **state)
{
	(void)state;
	for (const struct shape *s = shapes; s < shapes + SHAPES; s++) {
		struct walk_mode m = build(s, 40);
		struct walk_result r;

		for (unsigned level = s->leaf + 1; level <= s->levels; level++) {
			uint64_t e = load(entry_addr[level], entry_size(s));

			store(entry_addr[level], entry_size(s), 0x7ffff000 | (s->format == &pt_pae && level == 3 ? 1 : 7));
			assert_int_equal(check(&m, VA, access_of(0)).ret, -EFAULT);
			store(entry_addr[level], entry_size(s), e);
		}
		assert_int_equal(check(&m, VA, access_of(1)).ret, 0);
		/* Tables that cannot be written: A cannot be set. Without update that does not matter. */
		read_only_memory = true;
		assert_int_equal(guest_walk(&m, &mem, VA, access_of(0), true, &r), -EFAULT);
		assert_int_equal(guest_walk(&m, &mem, VA, access_of(0), false, &r), 0);
		read_only_memory = false;
		m.root = 0xfffffffff000;
		assert_int_equal(check(&m, VA, access_of(0)).ret, -EFAULT);
	}
}

/* A and D are set once, in the order of the walk; an access that needs neither writes nothing. */
static void test_accessed_and_dirty(void **state)
{
	(void)state;
	for (const struct shape *s = shapes; s < shapes + SHAPES; s++) {
		struct walk_mode m = build(s, 40);
		unsigned used = s->levels - s->leaf + 1 - (s->format == &pt_pae);
		struct walk_result r;

		write_count = 0;
		assert_int_equal(guest_walk(&m, &mem, VA, access_of(3), true, &r), 0);
		assert_int_equal(write_count, used);
		for (unsigned level = s->leaf; level <= s->levels; level++)
			assert_int_equal(load(entry_addr[level], entry_size(s)) >> 5 & 3,
					 s->format == &pt_pae && level == 3 ? 0 : 1);
		assert_int_equal(guest_walk(&m, &mem, VA, access_of(5), true, &r), 0);
		assert_int_equal(write_count, used);
		assert_int_equal(guest_walk(&m, &mem, VA, access_of(1), true, &r), 0);
		assert_int_equal(write_count, used + 1);
		assert_true(writes[used].addr == entry_addr[s->leaf]);
		assert_int_equal(load(entry_addr[s->leaf], entry_size(s)) >> 5 & 3, 3);
		assert_int_equal(guest_walk(&m, &mem, VA, access_of(4), true, &r), 0);
		assert_int_equal(write_count, used + 1);
	}
}

/* Another CPU changes an entry between read and exchange: its change stays, and the walk goes by it. */
static void test_rivals(void **state)
{
	static const struct {
		uint64_t clear, flip;
		unsigned times;
		int ret;
		uint32_t error;
	} t[] = {
		{ 0, 1 << 9, 1, 0, 0 },	     { 0, 1 << 9, 5, 0, 0 }, { 0, 1 << 9, 1000000, -EFAULT, 0 },
		{ 1, 0, 1, 1, 2 },	     /* not present any more */
		{ 2, 0, 1, 1, 3 },	     /* not writable any more */
		{ 0, 1ull << 51, 1, 1, 11 }, /* a reserved bit */
		{ 0, 1 << 5, 1, 0, 0 },	     /* A set by it */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct walk_mode m = build(&shapes[5], 40);
		struct walk_result r;
		uint64_t e = load(entry_addr[4], 8);

		rivals = t[i].times;
		rival_clear = t[i].clear;
		rival_flip = t[i].flip;
		read_count = 0;
		assert_int_equal(guest_walk(&m, &mem, VA, access_of(1), true, &r), t[i].ret);
		if (t[i].ret >= 0) {
			assert_int_equal(r.error, t[i].error);
			if (t[i].times == 1) /* what it did is there, with our A where the walk went on */
				assert_true((load(entry_addr[4], 8) & ~(uint64_t)(1 << 5)) ==
					    (((e & ~rival_clear) ^ rival_flip) & ~(uint64_t)(1 << 5)));
		}
		assert_true(read_count < 1000);
		rivals = 0;
	}
}

/* Outside of long mode an address has 32 bits. */
static void test_addresses_beyond_32_bits(void **state)
{
	struct walk_mode off = { .phys_bits = 40 };
	struct walk_result r;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct walk_mode m = build(&shapes[i], 40);
		uint64_t gpa = check(&m, VA, access_of(0)).gpa;

		assert_int_equal(guest_walk(&m, &mem, VA | 0x7fff00000000, access_of(0), true, &r), 0);
		assert_true(r.gpa == gpa);
	}
	assert_int_equal(guest_walk(&off, &mem, 0x123456789abc, access_of(4), true, &r), 0);
	assert_true(r.gpa == 0x56789abc && r.level == 0 && r.error == 0);
}

/* Tables of noise: entries point to tables (mostly), to each other, to themselves, or to nowhere. */
static void test_noise(void **state)
{
	unsigned long outcomes[3] = { 0 };

	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct rng r = rng_seed(seed);
		struct walk_mode m = { .format = (const struct pt_format *const[]){ &pt_legacy32, &pt_pae, &pt_long4 }[seed % 3] };
		bool clean = rng_once_in(&r, 2);

		for (unsigned i = 0; i < 2 * FRAMES * 512; i++) {
			uint64_t to = (rng_once_in(&r, 2) || seed % 3 == 0 ? LOW : HIGH) + rng_below(&r, FRAMES) * 0x1000,
				 e = to | 7;

			e ^= rng_once_in(&r, 16) ? 1 : 0;
			e ^= rng_next(&r) & rng_next(&r) & 0xe66; /* rights, A, D, ignored */
			e ^= rng_once_in(&r, 8) ? 0x80 | (clean ? to : 0) : 0;
			e ^= rng_once_in(&r, 16) ? 1ull << 63 : 0;
			e ^= !clean && rng_once_in(&r, 8) ? 1ull << rng_below(&r, 64) : 0;
			if (seed % 3 == 0)
				e = (uint32_t)e | (uint64_t)((uint32_t)e ^ (rng_next(&r) & 0x66)) << 32;
			if (seed % 3 == 1 && i < 512 && rng_below(&r, 8)) /* the frame with the PDPTEs */
				e &= ~(0x1e6ull | 1ull << 63);
			memory[i / (FRAMES * 512)][i % (FRAMES * 512)] = e;
		}
		for (unsigned n = 0; n < 600; n++) {
			struct outcome o;

			m.root = LOW + (seed % 3 == 1 ? rng_below(&r, 128) * 32 : rng_below(&r, FRAMES) * 0x1000);
			m.phys_bits = (uint8_t)(36 + rng_below(&r, 17));
			m.pse = !rng_once_in(&r, 4);
			m.page1g = rng_once_in(&r, 2);
			set_controls(&m, rng_next(&r) | (rng_below(&r, 4) ? 16 : 0));
			o = check(&m, (uint64_t)rng_next(&r) << 32 | rng_next(&r), access_of(rng_below(&r, 10)));
			outcomes[o.ret == 0 ? 0 : o.ret == 1 ? 1 : 2]++;
		}
	}
	print_message("seeds 0-299: %lu translated, %lu faults, %lu tables in nowhere\n", outcomes[0], outcomes[1], outcomes[2]);
	assert_true(outcomes[0] > 5000 && outcomes[1] > 5000 && outcomes[2] > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_each_bit_of_each_entry),
		cmocka_unit_test(test_reserved_bits_by_hand),
		cmocka_unit_test(test_not_present_at_each_level),
		cmocka_unit_test(test_tables_in_nowhere),
		cmocka_unit_test(test_accessed_and_dirty),
		cmocka_unit_test(test_rivals),
		cmocka_unit_test(test_addresses_beyond_32_bits),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
