#include "mm/slat.h"

#include <errno.h>

#include "mm/frames.h"
#include "mm/layout.h"

#define SLAT_BITS 48 /* of guest-physical address that four levels translate */

static uint64_t level_size(unsigned level)
{
	return 1ull << (12 + 9 * (level - 1));
}

static uint64_t table_alloc(struct slat *s)
{
	uint64_t t = frames_alloc(1, 1);

	if (t)
		s->tables++;
	return t;
}

/* The CPU may have cached the way through it: no entry to the guest before a flush (SDM vol. 3, 4.10.2.4 and 29.4.3.2). */
static void table_free(struct slat *s, uint64_t entry)
{
	frames_free(entry & PT_ADDR_MASK, 1);
	s->tables--;
	s->stale = true;
	s->dir_at = ~0ull;
}

int slat_init(struct slat *s, const struct pt_format *format, unsigned max_leaf, bool ad_bits)
{
	*s = (struct slat){ .format = format, .max_leaf = max_leaf, .ad_bits = ad_bits, .dir_at = ~0ull };
	s->root = table_alloc(s);
	return s->root ? 0 : -ENOMEM;
}

/* Where the walk for gpa ends: at a leaf, or at the first entry that is not present. */
static uint64_t *find(const struct slat *s, uint64_t gpa, unsigned *level)
{
	const struct pt_format *f = s->format;
	uint64_t table = s->root;

	for (*level = f->levels;; --*level) {
		uint64_t *e = &pt_table(table)[pt_index(f, *level, gpa)];

		if (!(*e & f->present) || pt_is_leaf(f, *level, *e))
			return e;
		table = *e;
	}
}

uint64_t *slat_leaf(const struct slat *s, uint64_t gpa, unsigned *level)
{
	unsigned l;
	uint64_t *e;

	if (gpa >> SLAT_BITS)
		return NULL;
	e = find(s, gpa, &l);
	if (!(*e & s->format->present))
		return NULL;
	if (level)
		*level = l;
	return e;
}

uint64_t *slat_region_find(struct slat *s, uint64_t gpa)
{
	const struct pt_format *f = s->format;
	uint64_t table = s->root;

	if (gpa >> SLAT_BITS)
		return NULL;
	for (unsigned l = f->levels; l > 2; l--) {
		table = pt_table(table)[pt_index(f, l, gpa)];
		if (!(table & f->present) || pt_is_leaf(f, l, table))
			return NULL;
	}
	s->dir = pt_table(table);
	s->dir_at = gpa >> 30;
	return &s->dir[pt_index(f, 2, gpa)];
}

/* Replaces a large leaf by a table of leaves one level down that map the same with the same rights. */
static int split_leaf(struct slat *s, uint64_t *entry, unsigned level)
{
	const struct pt_format *f = s->format;
	uint64_t t = table_alloc(s), flags = *entry & ~PT_ADDR_MASK, hpa = *entry & PT_ADDR_MASK & ~(level_size(level) - 1);

	if (!t)
		return -ENOMEM;
	if (level - 1 == 1)
		flags &= ~f->large;
	for (unsigned i = 0; i < 512; i++)
		pt_table(t)[i] = (hpa + i * level_size(level - 1)) | flags;
	*entry = t | f->table_flags;
	s->stale = true;
	return 0;
}

/* The entry for gpa at `level`, tables made and larger leaves split on the way. NULL: out of memory. */
static uint64_t *entry_make(struct slat *s, uint64_t gpa, unsigned level)
{
	const struct pt_format *f = s->format;
	uint64_t table = s->root;

	for (unsigned l = f->levels; l > level; l--) {
		uint64_t *e = &pt_table(table)[pt_index(f, l, gpa)];

		if (!(*e & f->present)) {
			uint64_t t = table_alloc(s);

			if (!t)
				return NULL;
			*e = t | f->table_flags;
		} else if (pt_is_leaf(f, l, *e) && split_leaf(s, e, l)) {
			return NULL;
		}
		table = *e;
	}
	return &pt_table(table)[pt_index(f, level, gpa)];
}

static bool bad_span(uint64_t gpa, uint64_t len)
{
	return ((gpa | len) & PAGE_MASK) || gpa >> SLAT_BITS || len > (1ull << SLAT_BITS) - gpa;
}

static bool any_mapped(const struct slat *s, uint64_t gpa, uint64_t end)
{
	unsigned level;

	for (; gpa < end; gpa = (gpa | (level_size(level) - 1)) + 1)
		if (*find(s, gpa, &level) & s->format->present)
			return true;
	return false;
}

/*
 * Clears the entries of [from, to) in a table whose first entry stands for base, and frees the tables below that this empties. No
 * leaf crosses an edge. Returns whether this table is empty now.
 */
static bool clear(struct slat *s, uint64_t table, unsigned level, uint64_t base, uint64_t from, uint64_t to)
{
	const struct pt_format *f = s->format;
	uint64_t size = level_size(level);
	bool empty = true;

	for (unsigned i = 0; i < 512; i++, base += size) {
		uint64_t *e = &pt_table(table)[i];

		if (!(*e & f->present))
			continue;
		if (base < to && from < base + size) {
			if (pt_is_leaf(f, level, *e)) {
				*e = 0;
				s->stale = true;
			} else if (clear(s, *e, level - 1, base, from, to)) {
				table_free(s, *e);
				*e = 0;
			}
		}
		empty &= !(*e & f->present);
	}
	return empty;
}

static void clear_span(struct slat *s, uint64_t gpa, uint64_t len)
{
	clear(s, s->root, s->format->levels, 0, gpa, gpa + len);
}

int slat_map(struct slat *s, uint64_t gpa, uint64_t hpa, uint64_t len)
{
	if (bad_span(gpa, len) || (hpa & ~PT_ADDR_MASK) || len > PT_ADDR_MASK + PAGE_SIZE - hpa || any_mapped(s, gpa, gpa + len))
		return -EINVAL;
	for (uint64_t done = 0, step; done < len; done += step) {
		uint64_t from = gpa + done, to = hpa + done, *e;
		unsigned l = s->max_leaf;

		while (l > 1 && (((from | to) & (level_size(l) - 1)) || len - done < level_size(l)))
			l--;
		step = level_size(l);
		e = entry_make(s, from, l);
		if (!e) {
			clear_span(s, gpa, len);
			return -ENOMEM;
		}
		*e = to | s->format->leaf_flags | (l > 1 ? s->format->large : 0);
	}
	return 0;
}

/* Splits what crosses gpa, so that a leaf begins there or none. */
static int make_edge(struct slat *s, uint64_t gpa)
{
	int r = 0;

	while (!r && !(gpa >> SLAT_BITS)) {
		unsigned level;
		uint64_t *e = find(s, gpa, &level);

		if (!(*e & s->format->present) || !(gpa & (level_size(level) - 1)))
			break;
		r = split_leaf(s, e, level);
	}
	return r;
}

int slat_unmap(struct slat *s, uint64_t gpa, uint64_t len)
{
	if (bad_span(gpa, len))
		return -EINVAL;
	if (len && (make_edge(s, gpa) || make_edge(s, gpa + len)))
		return -ENOMEM;
	clear_span(s, gpa, len);
	return 0;
}

uint64_t *slat_split(struct slat *s, uint64_t gpa)
{
	unsigned level;
	uint64_t *e = slat_leaf(s, gpa, &level);

	if (!e || level == 1)
		return e;
	return entry_make(s, gpa, 1);
}

/* Merges one table of leaves into a leaf of `level`, if it can be. */
static void merge_level(struct slat *s, uint64_t gpa, unsigned level)
{
	const struct pt_format *f = s->format;
	uint64_t *parent, *table, first, ad = f->accessed | f->dirty, seen = 0, step = level_size(level - 1);
	uint64_t t = s->root;

	if (level > s->max_leaf)
		return;
	for (unsigned l = f->levels;; l--) {
		parent = &pt_table(t)[pt_index(f, l, gpa)];
		if (!(*parent & f->present) || pt_is_leaf(f, l, *parent))
			return;
		if (l == level)
			break;
		t = *parent;
	}
	table = pt_table(*parent);
	first = table[0] & ~ad;
	if (!(first & f->present) || !pt_is_leaf(f, level - 1, table[0]) || (first & PT_ADDR_MASK & (level_size(level) - 1)))
		return;
	for (unsigned i = 0; i < 512; i++) {
		if ((table[i] & ~ad) != first + i * step)
			return;
		seen |= table[i] & ad;
	}
	t = *parent & PT_ADDR_MASK;
	*parent = first | f->large | seen;
	table_free(s, t);
}

void slat_merge(struct slat *s, uint64_t gpa)
{
	if (gpa >> SLAT_BITS)
		return;
	/* Not only if the 2 MiB merge now: a split that failed half-way leaves them whole in a 1 GiB that is not. */
	merge_level(s, gpa, 2);
	merge_level(s, gpa, 3);
}

void slat_destroy(struct slat *s)
{
	if (!s->root)
		return;
	clear_span(s, 0, 1ull << SLAT_BITS);
	table_free(s, s->root);
	s->root = 0;
}
