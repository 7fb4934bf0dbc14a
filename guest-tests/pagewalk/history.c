#include "guest-tests/pagewalk/history.h"

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
	unsigned time;
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

static unsigned flushed_since(uint64_t va)
{
	for (unsigned i = 0; i < flushed_count; i++)
		if (flushed[i].page == va >> 12)
			return flushed[i].time;
	return 0;
}

bool history_get(uint64_t at, uint64_t va, unsigned n, uint64_t *value)
{
	unsigned since = flushed_since(va);

	if (overflow)
		return *value = 0, n == 0;
	for (unsigned i = 0; i < old_count; i++)
		if (olds[i].at == at && olds[i].time >= since && !n--)
			return *value = olds[i].value, true;
	return false;
}

void model_invlpg(uint64_t va)
{
	unsigned i = 0;

	while (i < flushed_count && flushed[i].page != va >> 12)
		i++;
	if (i == FLUSHED_MAX)
		return; /* taken for not flushed: only tells less */
	if (i == flushed_count)
		flushed_count++;
	flushed[i] = (struct flushed){ va >> 12, now + 1 };
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
