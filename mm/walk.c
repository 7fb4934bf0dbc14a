#include "mm/walk.h"

#include <errno.h>
#include <stddef.h>

#define WALK_RETRIES 16 /* of a compare-and-exchange that another CPU wins; only one CPU runs guests now */

/* Bits that must be zero in an entry (SDM vol. 3, 4.3 to 4.5; tables 4-4 to 4-20). */
static uint64_t reserved_bits(const struct walk_mode *m, unsigned level, uint64_t entry, bool leaf)
{
	const struct pt_format *f = m->format;
	uint64_t beyond = ~((1ull << m->phys_bits) - 1) & PT_ADDR_MASK;
	uint64_t r = 0;

	if (f == &pt_legacy32) {
		if (level == 2 && leaf) /* 4 MiB page: PSE-36 puts address bits 39:32 into 20:13 */
			r = 1u << 21 | (m->phys_bits >= 40 ? 0 : (0xffull << (13 + (m->phys_bits > 32 ? m->phys_bits - 32 : 0))) & 0x1fe000);
		return r & entry;
	}
	r = beyond;
	if (!m->nxe)
		r |= f->nx;
	if (f == &pt_pae) {
		r |= 0x7ff0000000000000ull;
		if (level == 3)
			r = beyond | 0xfff0000000000000ull | 0x1c6; /* PDPTE: table 4-8; bit 5 is left out, QEMU's TCG sets it */
	}
	if (f == &pt_long4 && level == 4)
		r |= f->large;
	if (f == &pt_long4 && level == 3 && !m->page1g)
		r |= f->large;
	if (leaf && level > 1)
		r |= ((1ull << pt_shift(f, level)) - 1) & ~0x1fffull;
	return r & entry;
}

bool walk_is_leaf(const struct walk_mode *m, unsigned level, uint64_t entry)
{
	if (m->format == &pt_legacy32 && !m->pse)
		return level == 1;
	return pt_is_leaf(m->format, level, entry);
}

uint64_t walk_reserved(const struct walk_mode *m, unsigned level, uint64_t entry)
{
	return reserved_bits(m, level, entry, walk_is_leaf(m, level, entry));
}

/* SDM vol. 3, 4.6.1: may this access use a page with these combined rights? */
static bool allowed(const struct walk_mode *m, struct walk_access a, bool user_page, bool writable, bool nx)
{
	bool user = a.user && !a.implicit;

	if (user) {
		if (!user_page || (a.write && !writable))
			return false;
	} else {
		if (a.write && !writable && m->wp)
			return false;
		if (user_page && a.fetch && m->smep)
			return false;
		if (user_page && !a.fetch && m->smap && (a.implicit || !m->ac))
			return false;
	}
	return !(a.fetch && nx);
}

uint64_t walk_leaf_address(const struct walk_mode *m, unsigned level, uint64_t entry, uint64_t va)
{
	uint64_t offset = (1ull << pt_shift(m->format, level)) - 1;

	if (m->format == &pt_legacy32 && level == 2) /* PSE-36 */
		return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (va & offset);
	return (entry & PT_ADDR_MASK & ~offset) | (va & offset);
}

/* Sets bits in an entry; returns 0, -EFAULT, or -EAGAIN when the entry changed meanwhile. */
static int set_bits(const struct walk_mem *mem, uint64_t addr, unsigned size, uint64_t entry, uint64_t bits)
{
	int r;

	if ((entry & bits) == bits)
		return 0;
	r = mem->cas(mem->arg, addr, size, entry, entry | bits);
	return r == 1 ? -EAGAIN : r;
}

static int walk_once(const struct walk_mode *m, const struct walk_mem *mem, uint64_t va, struct walk_access a, bool update,
		     struct walk_result *r)
{
	const struct pt_format *f = m->format;
	bool user_page = true, writable = true, nx = false, leaf;
	uint64_t table = m->root, addr, entry;
	unsigned level = f->levels;
	int e;

	r->error = (a.write ? PF_W : 0) | (a.user && !a.implicit ? PF_U : 0) |
		   (a.fetch && ((m->nxe && f->nx) || m->smep) ? PF_FETCH : 0);
	for (;; level--) {
		addr = table + (uint64_t)pt_index(f, level, va) * f->entry_size;
		if (f == &pt_pae && level == 3 && m->pdpte) {
			entry = m->pdpte[pt_index(f, level, va) & 3];
		} else {
			e = mem->read(mem->arg, addr, f->entry_size, &entry);
			if (e)
				return e;
		}
		if (!(entry & f->present))
			return 1;
		leaf = walk_is_leaf(m, level, entry);
		if (reserved_bits(m, level, entry, leaf)) {
			r->error |= PF_P | PF_RSVD;
			return 1;
		}
		if (!(f == &pt_pae && level == 3)) { /* PDPTEs have no rights and no A bit */
			user_page &= !!(entry & f->user);
			writable &= !!(entry & f->write);
			nx |= !!(entry & f->nx);
			if (!leaf && update) {
				e = set_bits(mem, addr, f->entry_size, entry, f->accessed);
				if (e)
					return e;
				entry |= f->accessed;
			}
		}
		r->entry[level] = entry;
		if (leaf)
			break;
		table = walk_next_table(m, entry);
	}
	if (!allowed(m, a, user_page, writable, nx)) {
		r->error |= PF_P;
		return 1;
	}
	r->level = level;
	r->gpa = walk_leaf_address(m, level, entry, va);
	r->error = 0;
	if (!update)
		return 0;
	r->entry[level] |= f->accessed | (a.write ? f->dirty : 0);
	return set_bits(mem, addr, f->entry_size, entry, r->entry[level]);
}

int guest_walk(const struct walk_mode *m, const struct walk_mem *mem, uint64_t va, struct walk_access a, bool update,
	       struct walk_result *r)
{
	int e = -EAGAIN;

	if (!m->format) {
		r->gpa = va & 0xffffffff;
		r->level = 0;
		r->error = 0;
		return 0;
	}
	if (m->format != &pt_long4) /* linear addresses have 32 bits there; an access that crosses the top goes on at 0 */
		va &= 0xffffffff;
	for (unsigned i = 0; i < WALK_RETRIES && e == -EAGAIN; i++)
		e = walk_once(m, mem, va, a, update, r);
	return e == -EAGAIN ? -EFAULT : e;
}
