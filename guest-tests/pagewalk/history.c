#include "guest-tests/pagewalk/history.h"

#include <stddef.h>

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/window.h"
#include "guest-tests/pagewalk/model.h"

#define OLD_MAX 256
#define FLUSHED_MAX 64

struct old {
	uint64_t at, value;
	unsigned time;
};

struct flushed {
	uint64_t page;
	unsigned time;	/* of the last INVLPG */
	unsigned fault; /* of the last page fault */
};

static struct old olds[OLD_MAX];
static struct flushed flushed[FLUSHED_MAX];
static unsigned old_count, flushed_count, now;
static bool overflow;

static void forget(void)
{
	old_count = flushed_count = 0;
	overflow = false;
}

void history_reset(void)
{
	forget();
	now = 1;
}

void history_add(uint64_t at, uint64_t value)
{
	if (!(value & PTE_P) || !(value & PTE_A))
		return;
	if (old_count == OLD_MAX) {
		overflow = true; /* model_walk then tells nothing until the next flush */
		return;
	}
	olds[old_count++] = (struct old){ at, value, now };
}

static struct flushed *page_of(uint64_t va)
{
	for (unsigned i = 0; i < flushed_count; i++)
		if (flushed[i].page == va >> 12)
			return &flushed[i];
	return NULL;
}

/* The former value allows something that the current one does not, or leads elsewhere. */
static bool takes_away(uint64_t old, uint64_t current)
{
	const uint64_t place = 0x000ffffffffff000ull | PTE_PS;
	const bool user_matters = regs.cr4 & (CR4_SMEP | CR4_SMAP);

	return ((old ^ current) & place) || (old & ~current & (PTE_W | PTE_U)) || (current & ~old & PTE_NX) ||
	       (user_matters && (current & ~old & PTE_U));
}

/*
 * A page fault forgets what is cached for the address (SDM 4.10.4.1), but Bochs 2.7 does so in one of its two TLBs only
 * (instructions, data), and QEMU 7.2 not at all. Both look again when rights do not suffice. So after a fault new rights count for
 * sure; that old ones, or another frame, are gone is not checked.
 */
static bool alive(const struct old *o, const struct flushed *f, uint64_t current)
{
	if (!f)
		return true;
	return o->time >= f->time && (o->time >= f->fault || takes_away(o->value, current));
}

bool history_get(uint64_t at, uint64_t current, uint64_t va, unsigned n, uint64_t *value)
{
	const struct flushed *f = page_of(va);

	if (overflow)
		return *value = 0, n == 0;
	for (unsigned i = 0; i < old_count; i++)
		if (olds[i].at == at && alive(&olds[i], f, current) && !n--)
			return *value = olds[i].value, true;
	return false;
}

static struct flushed *page_for(uint64_t va)
{
	struct flushed *f = page_of(va);

	if (f || flushed_count == FLUSHED_MAX) /* too many: taken for not flushed, which only tells less */
		return f;
	f = &flushed[flushed_count++];
	*f = (struct flushed){ .page = va >> 12 };
	return f;
}

void model_invlpg(uint64_t va)
{
	struct flushed *f = page_for(va);

	if (f)
		f->time = now + 1;
}

void history_fault(uint64_t va)
{
	struct flushed *f = page_for(va);

	if (f)
		f->fault = now + 1;
}

void model_flush(void)
{
	forget();
}

void model_flush_local(void)
{
	if (!(regs.cr4 & 1u << 7)) /* PGE: any page may be global */
		forget();
}

void model_tick(void)
{
	now++;
}
