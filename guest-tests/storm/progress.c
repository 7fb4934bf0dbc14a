/* Sixteen bytes of the RTC's RAM: what was done, its key and a sum; the index is left on a byte that nobody reads. */
#include "guest-tests/storm/storm.h"

#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define FIRST 0x60
#define NOBODYS 0x7f

struct stored {
	uint32_t key;
	struct progress progress;
	uint32_t sum;
};
_Static_assert(sizeof(struct stored) == 16, "what there is room for");

static uint32_t sum(const struct stored *s)
{
	uint32_t n = s->key * 0x9e3779b1u;

	n = (n ^ s->progress.next) * 0x85ebca6bu;
	return (n ^ ((uint32_t)s->progress.resets << 16 | s->progress.damaged)) * 0xc2b2ae35u;
}

struct progress progress_load(uint32_t key)
{
	struct stored s = { 0 };
	uint8_t *bytes = (uint8_t *)&s;

	for (unsigned i = 0; i < sizeof(s); i++) {
		outb(RTC_INDEX, (uint8_t)(FIRST + i));
		bytes[i] = inb(RTC_DATA);
	}
	outb(RTC_INDEX, NOBODYS);
	return s.key == key && s.sum == sum(&s) ? s.progress : (struct progress){ 0 };
}

void progress_store(uint32_t key, struct progress p)
{
	struct stored s = { .key = key, .progress = p };
	const uint8_t *bytes = (const uint8_t *)&s;

	s.sum = sum(&s);
	for (unsigned i = 0; i < sizeof(s); i++) {
		outb(RTC_INDEX, (uint8_t)(FIRST + i));
		outb(RTC_DATA, bytes[i]);
	}
	outb(RTC_INDEX, NOBODYS);
}
