/* Shared by the files of the shadow pager. Nothing else includes this. */
#ifndef MM_SHADOW_PRIV_H
#define MM_SHADOW_PRIV_H

#include "mm/layout.h"
#include "mm/shadow.h"
#include "vmm/guest_mem.h"

/* Shadow entries: the long-mode and PAE format (SDM vol. 3, 4.4, 4.5). */
#define SPTE_P (1ull << 0)
#define SPTE_W (1ull << 1)
#define SPTE_U (1ull << 2)
#define SPTE_PWT (1ull << 3)
#define SPTE_PCD (1ull << 4)
#define SPTE_A (1ull << 5)
#define SPTE_D (1ull << 6)
#define SPTE_PAT (1ull << 7)
#define SPTE_TRACKED (1ull << 9) /* ignored by the CPU: D means something, the frame is in a dirty range */
#define SPTE_NX (1ull << 63)

/* Rights that the way to an entry leaves. */
#define ACC_W 1u
#define ACC_U 2u
#define ACC_X 4u
#define ACC_ALL 7u

/* What a shadow table stands for, beside its frame. Two roles are equal when they are bitwise. */
struct role {
	uint8_t level;	  /* 1: leaves */
	uint8_t format;	  /* enum shadow_format: of the guest's table; SHADOW_DIRECT: there is none */
	uint8_t access;	  /* ACC_*: of all the guest's entries above */
	uint8_t quadrant; /* 32-bit tables have 1,024 entries, shadows 512: which quarter (level 2) or half (level 1) of the range
			   */
	uint8_t cache;	  /* direct: PAT << 2 | PCD << 1 | PWT of the large page */
	bool nxe, pse;	  /* change what guest entries mean */
	bool wp0;	  /* CR0.WP is 0, which changes what leaves look like; so do then the next three */
	bool smep, smap;
	bool clean; /* direct: D of the large page is not set, no leaf may be written */
};
enum shadow_format { SHADOW_DIRECT, SHADOW_LEGACY32, SHADOW_PAE, SHADOW_LONG4 };

/* A place in a table, as one number: table << 9 | index. 0 is none: table 0 is the PAE root, whose entries are 4 to 7. */
typedef uint32_t spte_id;
#define ID_TABLE(id) ((id) >> 9)
#define ID_INDEX(id) ((id)&511)

struct link {
	spte_id next, prev; /* prev 0: the chain's head is before it */
};

struct shadow_page {
	uint64_t gfn; /* the guest table's frame; direct: the first one mapped */
	struct role role;
	bool used, unsync, unsync_listed;
	bool filled;	    /* direct: its leaves were made */
	bool watched, open; /* shadow_dirty.c: has leaves of ranges; these may have D set */
	uint8_t idle;	    /* syncs since a fault went through it */
	uint32_t present;   /* entries */
	spte_id parents;    /* chain of the entries that point here */
	uint32_t hash_next; /* table numbers; 0 ends a list */
	uint32_t lru_next, lru_prev;
	uint32_t unsync_next, open_next;
} __attribute__((aligned(64))); /* a cache line */

/* A frame of guest memory: mem_slot.frame[gfn - first]. */
struct guest_frame {
	spte_id rmap;	 /* chain of the leaves that map it */
	uint16_t tables; /* shadow tables in sync that stand for it: it is not writable */
	bool tracked;	 /* in a dirty range */
};

#define STRANGE_NONE (~0ull)
#define SHADOW_HASH 1024u

struct shadow {
	struct guest_mem *mem;
	struct dirty *dirty;
	bool *stale;
	unsigned tables;	  /* of the pool; numbers 1..tables */
	uint64_t base;		  /* hpa of table 0 */
	struct link *links;	  /* links[id] */
	struct shadow_page *page; /* page[0]: the PAE root */
	uint64_t page_frames, link_frames;
	uint64_t memory_type[8];      /* leaf bits for PAT << 2 | PCD << 1 | PWT */
	uint32_t hash[SHADOW_HASH];   /* table numbers, by gfn */
	uint32_t free;		      /* list by hash_next */
	uint32_t lru_first, lru_last; /* all used ones; first: used last */
	uint32_t unsync;	      /* list by unsync_next of those with unsync_listed; some may be dropped since */
	uint32_t open;		      /* list by open_next of those that are open; some may be dropped since */
	uint32_t root;		      /* the table in use as root; 0: the PAE root */
	struct walk_mode mode;	      /* of the root */
	const struct mem_slot *last_slot;
	uint64_t strange_va; /* the last fault was one without a reason, at this address; STRANGE_NONE: it was not */
	struct shadow_counts counts;
};

static inline uint64_t *table_of(const struct shadow *sh, uint32_t n)
{
	return (uint64_t *)(uintptr_t)(sh->base + (uint64_t)n * PAGE_SIZE);
}

/* The pool's tables lie together, so an entry's number is also its place. */
static inline uint64_t *entry_of(const struct shadow *sh, spte_id id)
{
	return (uint64_t *)(uintptr_t)sh->base + id;
}

static inline uint64_t table_hpa(const struct shadow *sh, uint32_t n)
{
	return sh->base + (uint64_t)n * PAGE_SIZE;
}

static inline uint32_t child_of(const struct shadow *sh, uint64_t spte)
{
	return (uint32_t)(((spte & PT_ADDR_MASK) - sh->base) >> PAGE_SHIFT);
}

/* ---- shadow.c */

/** The state of a guest frame, or NULL when it is not RAM. */
struct guest_frame *shadow_frame(struct shadow *sh, uint64_t gfn);
/** The slot of the guest frame that a leaf maps; sh->last_slot too from then on. */
const struct mem_slot *shadow_slot(struct shadow *sh, uint64_t spte);

/** The guest frame that a leaf maps. */
static inline uint64_t shadow_gfn(struct shadow *sh, uint64_t spte)
{
	uint64_t hpa = spte & PT_ADDR_MASK;
	const struct mem_slot *s = sh->last_slot;

	if (!s || hpa - s->hpa >= s->len)
		s = shadow_slot(sh, spte);
	return (s->gpa + (hpa - s->hpa)) >> PAGE_SHIFT;
}

/**
 * The one way to change an entry: keeps the chains, harvests D before it is lost, notes that translations are stale when rights
 * went. A leaf that goes on mapping the same frame keeps its D.
 */
void shadow_set(struct shadow *sh, uint32_t table, unsigned index, uint64_t spte);

/** The shadow table for (gfn, role), made (empty, in sync, the guest's table protected) or found. */
uint32_t shadow_get(struct shadow *sh, uint64_t gfn, struct role role);
/** Table n was used: it is the last to be recycled. */
void shadow_touch(struct shadow *sh, uint32_t n);
/** Drops a shadow table and everything that points to it. */
void shadow_zap(struct shadow *sh, uint32_t table);
/** Takes the right to write from all leaves that map the frame. */
void shadow_write_protect(struct shadow *sh, struct guest_frame *f);
/** The first table, in sync or not, that stands for gfn; then the next one. 0: no more. Direct ones are left out. */
uint32_t shadow_find(const struct shadow *sh, uint64_t gfn, uint32_t after);

/* ---- shadow_fault.c */

/** A table's and index's guest entry leads here: what the shadow entry must be. */
struct target {
	bool present;
	bool leaf; /* one page: frame, access, cache, dirty hold; else (gfn, role) is the next table */
	uint64_t gfn;
	struct role role;
	unsigned access, cache;
	bool dirty;
};

/** From a guest entry g to what stands for it at (table, index). present is false for what a shadow may not hold. */
struct target shadow_target(const struct shadow *sh, const struct shadow_page *sp, unsigned index, uint64_t g);
/** The leaf for a target; 0 where there is no RAM. kernel_write: of a WP = 0 guest's supervisor to a read-only user page. */
uint64_t shadow_leaf(struct shadow *sh, const struct role *role, const struct target *t, bool kernel_write);

/* ---- shadow_sync.c */

/** The guest writes to the table in this frame: its shadows are out of sync from now on. */
void shadow_unsync(struct shadow *sh, uint64_t gfn);
/** Brings all in sync. */
void shadow_sync_all(struct shadow *sh);

/* ---- shadow_dirty.c */

/** An entry that points to table n, which is watched, lets writes through: the next harvest looks at its leaves. */
static inline void shadow_open(struct shadow *sh, uint32_t n)
{
	struct shadow_page *sp = &sh->page[n];

	if (sp->open)
		return;
	sp->open = true;
	sp->open_next = sh->open;
	sh->open = n;
}

/** A leaf of table n has SPTE_TRACKED. */
static inline void shadow_watch(struct shadow *sh, uint32_t n)
{
	if (sh->page[n].watched)
		return;
	sh->page[n].watched = true;
	shadow_open(sh, n); /* so far nothing stopped writes on the way to it */
}

#endif
