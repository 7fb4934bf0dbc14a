/* The shadow pager's pool: tables, chains, and the one way to change an entry. */
#include "mm/shadow_priv.h"

#include <errno.h>
#include <string.h>

#include "mm/dirty.h"
#include "mm/frames.h"

/* ---- guest frames */

static const struct mem_slot *slot_by_gfn(struct shadow *sh, uint64_t gfn)
{
	const struct mem_slot *s = sh->last_slot;
	uint64_t gpa = gfn << PAGE_SHIFT;

	if (s && gpa - s->gpa < s->len)
		return s;
	s = guest_mem_slot(sh->mem, gpa);
	if (s)
		sh->last_slot = s;
	return s;
}

struct guest_frame *shadow_frame(struct shadow *sh, uint64_t gfn)
{
	const struct mem_slot *s = slot_by_gfn(sh, gfn);

	return s ? &s->frame[gfn - (s->gpa >> PAGE_SHIFT)] : NULL;
}

const struct mem_slot *shadow_slot(struct shadow *sh, uint64_t spte)
{
	const struct mem_slot *s = sh->mem->slot;

	while ((spte & PT_ADDR_MASK) - s->hpa >= s->len)
		s++;
	sh->last_slot = s;
	return s;
}

/* ---- chains */

static void chain_add(struct shadow *sh, spte_id *head, spte_id id)
{
	sh->links[id] = (struct link){ .next = *head };
	if (*head)
		sh->links[*head].prev = id;
	*head = id;
}

static void chain_remove(struct shadow *sh, spte_id *head, spte_id id)
{
	struct link *l = &sh->links[id];

	if (l->prev)
		sh->links[l->prev].next = l->next;
	else
		*head = l->next;
	if (l->next)
		sh->links[l->next].prev = l->prev;
}

/* ---- entries */

/* The head of the chain that a present entry of table n is in. */
static spte_id *chain_of(struct shadow *sh, uint32_t n, uint64_t spte)
{
	return sh->page[n].role.level == 1 ? &shadow_frame(sh, shadow_gfn(sh, spte))->rmap : &sh->page[child_of(sh, spte)].parents;
}

/* A leaf that goes on mapping its frame: D stays, set at any time by the CPU. */
static void leaf_change(struct shadow *sh, uint64_t *at, uint64_t spte)
{
	uint64_t old = *at, changed;

	while (!__atomic_compare_exchange_n(at, &old, spte | (old & SPTE_D), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	changed = old ^ spte;
	if ((changed & old & (SPTE_W | SPTE_U)) || (changed & ~(SPTE_W | SPTE_U | SPTE_A | SPTE_D)))
		*sh->stale = true;
}

/*
 * The order for a leaf that goes: the exchange takes the last D that the CPU set; the tracker hears of it before the frame's chain
 * forgets the leaf; the flush, before the guest runs again, ends what the CPU still has cached, and until then nobody reads pixels.
 */
void shadow_set(struct shadow *sh, uint32_t n, unsigned index, uint64_t spte)
{
	struct shadow_page *sp = &sh->page[n];
	uint64_t *at = &table_of(sh, n)[index], old = *at;
	spte_id id = n << 9 | index;
	bool leaf = sp->role.level == 1;

	if (!((old | spte) & SPTE_P))
		return;
	if (leaf && (old & spte & SPTE_P) && !((old ^ spte) & PT_ADDR_MASK)) {
		leaf_change(sh, at, spte);
		return;
	}
	old = __atomic_exchange_n(at, spte, __ATOMIC_SEQ_CST);
	if (old & SPTE_P) {
		*sh->stale = true;
		if (leaf && (old & SPTE_TRACKED) && (old & SPTE_D))
			(void)dirty_note(sh->dirty, shadow_gfn(sh, old));
		chain_remove(sh, chain_of(sh, n, old), id);
		sp->present--;
	}
	if (spte & SPTE_P) {
		chain_add(sh, chain_of(sh, n, spte), id);
		sp->present++;
		if (leaf && (spte & SPTE_TRACKED))
			shadow_watch(sh, n);
	}
}

void shadow_write_protect(struct shadow *sh, struct guest_frame *f)
{
	for (spte_id id = f->rmap; id; id = sh->links[id].next) {
		uint64_t *at = entry_of(sh, id);

		if (*at & SPTE_W) {
			__atomic_fetch_and(at, ~SPTE_W, __ATOMIC_SEQ_CST); /* D stays, and is harvested in its time */
			*sh->stale = true;
		}
	}
}

/* ---- tables: lists */

static void lru_remove(struct shadow *sh, uint32_t n)
{
	struct shadow_page *sp = &sh->page[n];

	*(sp->lru_prev ? &sh->page[sp->lru_prev].lru_next : &sh->lru_first) = sp->lru_next;
	*(sp->lru_next ? &sh->page[sp->lru_next].lru_prev : &sh->lru_last) = sp->lru_prev;
}

static void lru_add(struct shadow *sh, uint32_t n)
{
	struct shadow_page *sp = &sh->page[n];

	sp->lru_prev = 0;
	sp->lru_next = sh->lru_first;
	*(sh->lru_first ? &sh->page[sh->lru_first].lru_prev : &sh->lru_last) = n;
	sh->lru_first = n;
}

void shadow_touch(struct shadow *sh, uint32_t n)
{
	sh->page[n].idle = 0;
	if (sh->lru_first == n)
		return;
	lru_remove(sh, n);
	lru_add(sh, n);
}

static uint32_t *hash_head(const struct shadow *sh, uint64_t gfn)
{
	return (uint32_t *)(uintptr_t)&sh->hash[(gfn * 0x9e3779b97f4a7c15ull) >> 54]; /* 10 bits */
}

uint32_t shadow_find(const struct shadow *sh, uint64_t gfn, uint32_t after)
{
	uint32_t n = after ? sh->page[after].hash_next : *hash_head(sh, gfn);

	while (n && (sh->page[n].gfn != gfn || sh->page[n].role.format == SHADOW_DIRECT))
		n = sh->page[n].hash_next;
	return n;
}

/* ---- tables: made and dropped */

/* After this no table is in sync or out of it with n: the guest's table may be written, as far as n is concerned. */
static void forget_guest_table(struct shadow *sh, struct shadow_page *sp)
{
	struct guest_frame *frame;

	if (sp->role.format == SHADOW_DIRECT || sp->unsync)
		return;
	frame = shadow_frame(sh, sp->gfn);
	if (!frame)
		__builtin_unreachable(); /* a table was made of it */
	frame->tables--;
}

void shadow_zap(struct shadow *sh, uint32_t n)
{
	struct shadow_page *sp = &sh->page[n];
	uint32_t *link = hash_head(sh, sp->gfn);
	const uint64_t *table = table_of(sh, n);

	while (sp->parents)
		shadow_set(sh, ID_TABLE(sp->parents), ID_INDEX(sp->parents), 0);
	for (unsigned i = 0; i < 512 && sp->present; i++)
		if (table[i])
			shadow_set(sh, n, i, 0);
	forget_guest_table(sh, sp);
	while (*link != n)
		link = &sh->page[*link].hash_next;
	*link = sp->hash_next;
	lru_remove(sh, n);
	*sh->stale = true; /* the CPU may have cached the way through it */
	sp->used = sp->watched = false;
	sp->hash_next = sh->free;
	sh->free = n;
}

/* The one not used for longest. The root in use, and what a fault goes through now, were used last. */
static uint32_t recycle(struct shadow *sh)
{
	uint32_t n = sh->lru_last;

	if (n == sh->root)
		n = sh->page[n].lru_prev;
	shadow_zap(sh, n);
	sh->counts.recycled++;
	return n;
}

static bool same_role(struct role a, struct role b)
{
	return !memcmp(&a, &b, sizeof(a));
}

uint32_t shadow_get(struct shadow *sh, uint64_t gfn, struct role role)
{
	uint32_t *head = hash_head(sh, gfn), n = *head;
	struct shadow_page *sp;

	while (n && (sh->page[n].gfn != gfn || !same_role(sh->page[n].role, role)))
		n = sh->page[n].hash_next;
	if (n) {
		shadow_touch(sh, n);
		return n;
	}
	if (!sh->free)
		recycle(sh);
	n = sh->free;
	sp = &sh->page[n];
	sh->free = sp->hash_next;
	*sp = (struct shadow_page){ .gfn = gfn,
				    .role = role,
				    .used = true,
				    .hash_next = *head,
				    .unsync_next = sp->unsync_next,
				    .unsync_listed = sp->unsync_listed,
				    .open_next = sp->open_next,
				    .open = sp->open };
	*head = n;
	lru_add(sh, n);
	sh->counts.made++;
	/* Protected before it is read: what the guest writes from here on is heard of. */
	if (role.format != SHADOW_DIRECT) {
		struct guest_frame *f = shadow_frame(sh, gfn);

		if (!f->tables++)
			shadow_write_protect(sh, f);
	}
	return n;
}

/* ---- the pager */

static size_t page_count(size_t bytes)
{
	return (bytes + PAGE_MASK) >> PAGE_SHIFT;
}

int shadow_slot_added(struct shadow *sh, struct mem_slot *slot)
{
	size_t bytes = (slot->len >> PAGE_SHIFT) * sizeof(struct guest_frame);

	sh->last_slot = NULL; /* the slots moved */
	slot->frame = (struct guest_frame *)(uintptr_t)frames_alloc(page_count(bytes), 1);
	return slot->frame ? 0 : -ENOMEM;
}

void shadow_slot_removed(struct shadow *sh, struct mem_slot *slot)
{
	size_t frames = slot->len >> PAGE_SHIFT;

	for (size_t i = 0; i < frames; i++) {
		uint64_t gfn = (slot->gpa >> PAGE_SHIFT) + i;
		spte_id id;

		while ((id = slot->frame[i].rmap))
			shadow_set(sh, ID_TABLE(id), ID_INDEX(id), 0);
		for (uint32_t n; (n = shadow_find(sh, gfn, 0));)
			shadow_zap(sh, n);
	}
	frames_free((uintptr_t)slot->frame, page_count(frames * sizeof(struct guest_frame)));
	slot->frame = NULL;
	sh->last_slot = NULL;
}

void shadow_clear(struct shadow *sh)
{
	for (unsigned i = 4; i < 8; i++)
		shadow_set(sh, 0, i, 0);
	sh->root = 0;
	while (sh->lru_last)
		shadow_zap(sh, sh->lru_last);
}

void shadow_set_dirty(struct shadow *sh, struct dirty *d)
{
	sh->dirty = d;
}

const struct shadow_counts *shadow_counters(const struct shadow *sh)
{
	return &sh->counts;
}

void shadow_set_memory_types(struct shadow *sh, const uint64_t bits[8])
{
	if (!memcmp(sh->memory_type, bits, sizeof(sh->memory_type)))
		return;
	memcpy(sh->memory_type, bits, sizeof(sh->memory_type));
	shadow_clear(sh);
}

struct shadow *shadow_create(struct guest_mem *mem, unsigned tables, bool *stale)
{
	size_t own = page_count(sizeof(struct shadow)), pages = page_count((tables + 1) * sizeof(struct shadow_page));
	struct shadow *sh = (struct shadow *)(uintptr_t)frames_alloc(own, 1);
	uint64_t base, links, page;

	if (!sh)
		return NULL;
	*sh = (struct shadow){ .mem = mem, .stale = stale, .tables = tables, .strange_va = STRANGE_NONE };
	base = frames_alloc(tables + 1, 1);
	links = frames_alloc(tables + 1, 1); /* 8 bytes for each entry */
	page = frames_alloc(pages, 1);
	sh->base = base;
	sh->links = (struct link *)(uintptr_t)links;
	sh->page = (struct shadow_page *)(uintptr_t)page;
	/* CR3 of a PAE guest has 32 bits. */
	if (tables < SHADOW_TABLES_MIN || !base || !links || !page || base >> 32) {
		shadow_destroy(sh);
		return NULL;
	}
	for (uint32_t n = tables; n; n--) {
		sh->page[n].hash_next = sh->free;
		sh->free = n;
	}
	sh->page[0].role.level = 3;
	for (unsigned i = 0; i < 8; i++)
		sh->memory_type[i] = (i & 1 ? SPTE_PWT : 0) | (i & 2 ? SPTE_PCD : 0) | (i & 4 ? SPTE_PAT : 0);
	for (unsigned i = 0; i < mem->count; i++)
		if (shadow_slot_added(sh, &mem->slot[i])) {
			shadow_destroy(sh);
			return NULL;
		}
	return sh;
}

void shadow_destroy(struct shadow *sh)
{
	unsigned tables = sh->tables;

	for (unsigned i = 0; i < sh->mem->count; i++) {
		struct mem_slot *s = &sh->mem->slot[i];

		if (s->frame)
			frames_free((uintptr_t)s->frame, page_count((s->len >> PAGE_SHIFT) * sizeof(struct guest_frame)));
		s->frame = NULL;
	}
	if (sh->base)
		frames_free(sh->base, tables + 1);
	if (sh->links)
		frames_free((uintptr_t)sh->links, tables + 1);
	if (sh->page)
		frames_free((uintptr_t)sh->page, page_count((tables + 1) * sizeof(struct shadow_page)));
	frames_free((uintptr_t)sh, page_count(sizeof(*sh)));
}
