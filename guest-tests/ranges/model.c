/* What each consumer must be told about each range: a word of pages a pair. */
#include "guest-tests/ranges/ranges.h"

#include "guest-tests/lib/print.h"

struct model_range model_ranges[HC_DIRTY_RANGES];
int64_t model_consumers[HC_DIRTY_CONSUMERS];
uint64_t model_extra;
static uint64_t must[HC_DIRTY_CONSUMERS][HC_DIRTY_RANGES];
static bool exact;

/* GCC's builtin needs libgcc. */
static unsigned ones(uint64_t word)
{
	unsigned n = 0;

	for (; word; word &= word - 1)
		n++;
	return n;
}

void model_begin(bool all_exact)
{
	for (unsigned n = 0; n < HC_DIRTY_RANGES; n++)
		model_ranges[n].live = false;
	for (unsigned c = 0; c < HC_DIRTY_CONSUMERS; c++)
		model_consumers[c] = -1;
	model_extra = 0;
	exact = all_exact;
}

unsigned model_live(void)
{
	unsigned live = 0;

	for (unsigned n = 0; n < HC_DIRTY_RANGES; n++)
		live += model_ranges[n].live;
	return live;
}

static uint64_t all_pages(unsigned n)
{
	return model_ranges[n].pages == 64 ? ~0ull : (1ull << model_ranges[n].pages) - 1;
}

/* The range's place; all of it is dirty for all. */
static void set_place(unsigned n, uint64_t gpa, uint64_t bytes)
{
	struct model_range *m = &model_ranges[n];

	m->area = gpa >= areas[1] && gpa < areas[1] + AREA_BYTES;
	m->first = (unsigned)((gpa - areas[m->area]) / PAGE);
	m->pages = (unsigned)((gpa + bytes - 1 - areas[m->area]) / PAGE) - m->first + 1;
	for (unsigned c = 0; c < HC_DIRTY_CONSUMERS; c++)
		must[c][n] = all_pages(n);
}

bool model_add(uint64_t gpa, uint64_t bytes)
{
	int64_t id = hypercall(HC_DIRTY_RANGE_ADD, gpa, bytes);
	unsigned n = 0;

	for (unsigned i = 0; i < HC_DIRTY_RANGES; i++)
		if (!expect(!model_ranges[i].live || model_ranges[i].id != id, "range id %ld was given out twice", id))
			return false;
	while (n < HC_DIRTY_RANGES && model_ranges[n].live)
		n++;
	if (n == HC_DIRTY_RANGES)
		return expect_eq("a range too many", (uint64_t)id, (uint64_t)ERROR(ENOSPC));
	if (!expect(id >= 0 && id < HC_DIRTY_RANGES, "a range of %lu bytes at 0x%lx: %ld", bytes, gpa, id))
		return false;
	model_ranges[n].live = true;
	model_ranges[n].id = id;
	set_place(n, gpa, bytes);
	return true;
}

bool model_move(unsigned n, uint64_t gpa, uint64_t bytes)
{
	int64_t e = hypercall4(HC_DIRTY_RANGE_MOVE, (uint64_t)model_ranges[n].id, gpa, bytes, 0);

	set_place(n, gpa, bytes);
	return expect(!e, "a move to %lu bytes at 0x%lx: %ld", bytes, gpa, e);
}

bool model_remove(unsigned n)
{
	int64_t e = hypercall(HC_DIRTY_RANGE_REMOVE, (uint64_t)model_ranges[n].id, 0);

	model_ranges[n].live = false;
	return expect(!e, "removing range %ld: %ld", model_ranges[n].id, e);
}

bool model_consumer_add(void)
{
	int64_t id = hypercall(HC_DIRTY_CONSUMER_ADD, 0, 0);
	unsigned c = 0;

	while (c < HC_DIRTY_CONSUMERS && model_consumers[c] >= 0)
		c++;
	if (c == HC_DIRTY_CONSUMERS)
		return expect_eq("a consumer too many", (uint64_t)id, (uint64_t)ERROR(ENOSPC));
	for (unsigned i = 0; i < HC_DIRTY_CONSUMERS; i++)
		if (!expect(model_consumers[i] != id, "consumer id %ld was given out twice", id))
			return false;
	model_consumers[c] = id;
	for (unsigned n = 0; n < HC_DIRTY_RANGES; n++)
		must[c][n] = model_ranges[n].live ? all_pages(n) : 0;
	return expect(id >= 0 && id < HC_DIRTY_CONSUMERS, "a consumer: %ld", id);
}

bool model_consumer_remove(unsigned c)
{
	int64_t e = hypercall(HC_DIRTY_CONSUMER_REMOVE, (uint64_t)model_consumers[c], 0);

	model_consumers[c] = -1;
	return expect(!e, "removing a consumer: %ld", e);
}

static void written_page(unsigned area, unsigned page)
{
	for (unsigned n = 0; n < HC_DIRTY_RANGES; n++) {
		const struct model_range *m = &model_ranges[n];

		if (m->live && m->area == area && page - m->first < m->pages)
			for (unsigned c = 0; c < HC_DIRTY_CONSUMERS; c++)
				must[c][n] |= 1ull << (page - m->first);
	}
}

void model_written(uint64_t gpa, uint64_t bytes)
{
	for (unsigned a = 0; a < AREAS; a++)
		for (uint64_t at = gpa & ~(uint64_t)(PAGE - 1); at < gpa + bytes; at += PAGE)
			if (at >= areas[a] && at < areas[a] + AREA_BYTES)
				written_page(a, (unsigned)((at - areas[a]) / PAGE));
}

bool model_query(unsigned c, unsigned n, uint8_t *bitmap)
{
	const struct model_range *m = &model_ranges[n];
	uint64_t bytes = (m->pages + 7) / 8, want = must[c][n], got = 0;
	int64_t result;

	result = hypercall4(HC_DIRTY_QUERY, (uint64_t)model_consumers[c], (uint64_t)m->id, (uint64_t)bitmap, bytes);
	track_count.queries++;
	for (unsigned i = 0; i < bytes; i++)
		got |= (uint64_t)bitmap[i] << 8 * i;
	track_count.reported += ones(got);
	model_extra += ones(got & ~want);
	must[c][n] = 0;
	model_written((uint64_t)bitmap, bytes);
	return expect(result == ones(got), "a query's result is %ld, its bitmap 0x%lx", result, got) &&
	       expect(!(want & ~got), "missed: pages 0x%lx of %u, consumer %ld, range %ld, query %lu", want & ~got, m->pages,
		      model_consumers[c], m->id, track_count.queries) &&
	       expect(!(got & ~all_pages(n)), "bits 0x%lx of a range of %u pages", got, m->pages) &&
	       expect(!exact || !(got & ~want), "pages 0x%lx were reported, which nobody wrote", got & ~want);
}
