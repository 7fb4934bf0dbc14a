/* ACPI's registers, where the FADT says that they are; and the hot-plug block, where QEMU has it. */
#include "guest-tests/acpi/acpi.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/pci.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/prng.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/trap.h"

#define TIMER_MASK 0xffffffu
#define INTERVAL 70000u /* of its ticks: 20 ms */
#define TORN 1500u	/* 2 percent of that */
#define PM1_TIMER 1u
#define SCI 9u

#define HP_UP 0xae00
#define HP_DOWN 0xae04
#define HP_EJECT 0xae08
#define HP_REMOVABLE 0xae0c
#define HP_BUS 0xae10
#define FIRST_SLOT 2u
#define DISPLAY_ID 0x11111234u

static uint16_t port(unsigned fadt_field)
{
	const uint8_t *fadt = acpi_find("FACP");

	return fadt ? (uint16_t)get(fadt + fadt_field, 4) : 0;
}

static uint16_t pm1_event(void)
{
	return port(56);
}
static uint16_t pm1_control(void)
{
	return port(64);
}
static uint16_t pm_timer(void)
{
	return port(76);
}
static uint16_t gpe0(void)
{
	return port(80);
}

/* Channel 2's count, and the PM timer's just before and just after: a time between the two is how far the pair is off. */
struct sample {
	uint32_t before, after;
	uint16_t pit;
};

static struct sample take(uint16_t timer)
{
	struct sample s;

	s.before = inl(timer);
	outb(PIT_COMMAND, 0x80); /* latch */
	s.pit = inb(PIT_CHANNEL2);
	s.pit |= (uint16_t)(inb(PIT_CHANNEL2) << 8);
	s.after = inl(timer);
	return s;
}

static uint32_t passed(uint32_t from, uint32_t to)
{
	return (to - from) & TIMER_MASK;
}

/*
 * The PM timer's clock is three times the 8254's, and both stem from one crystal. Whoever runs this machine may stop it anywhere:
 * what counts is a pair of samples of which neither is torn, and that lie less than a turn of the 8254 apart.
 */
static bool compare(uint16_t timer)
{
	struct sample a, b;
	uint32_t pm, pit;

	a = take(timer);
	do
		b = take(timer);
	while (passed(a.before, b.before) < INTERVAL);
	pm = passed(a.before, b.before);
	pit = 3u * (uint16_t)(a.pit - b.pit);
	if (passed(a.before, a.after) > TORN || passed(b.before, b.after) > TORN || pm > 3 * 0xf000u)
		return false;
	expect(pm <= pit + TORN && pit <= pm + TORN, "%u ticks, where the 8254 counted %u of them", pm, pit);
	return true;
}

/* It counts at its rate, and never backwards. */
void test_timer(void)
{
	uint16_t timer = pm_timer();
	uint32_t last = inl(timer), t;
	unsigned compared = 0;

	expect_eq("bits beyond the 24", last & ~TIMER_MASK, 0);
	for (unsigned i = 0; i < 10000; i++, last = t) {
		t = inl(timer);
		if (!expect(passed(last, t) < TIMER_MASK / 2, "from 0x%x to 0x%x", last, t))
			return;
	}
	outb(0x61, 1);
	outb(PIT_COMMAND, 0xb4); /* channel 2 as a rate generator of 65,536 */
	outb(PIT_CHANNEL2, 0);
	outb(PIT_CHANNEL2, 0);
	for (unsigned i = 0; i < 1000 && compared < 5; i++)
		compared += compare(timer);
	outb(0x61, 0);
	expect_eq("intervals that could be compared", compared, 5);
}

static volatile unsigned scis;

static bool on_sci(struct trap_frame *f)
{
	(void)f;
	scis++;
	outw(pm1_event(), PM1_TIMER);
	pic_eoi(SCI);
	return true;
}

/* The highest bit of the timer changes every 2.34 s: an interrupt, once, on a level-triggered input. */
void test_sci(void)
{
	uint16_t event = pm1_event(), timer = pm_timer();
	uint32_t before;

	trap_handler(VEC_IRQ + SCI, on_sci);
	outb(0x4d1, (uint8_t)(inb(0x4d1) | 1u << (SCI - 8)));
	outw(event, PM1_TIMER);
	scis = 0;
	before = inl(timer) >> 23 & 1;
	outw(event + 2, PM1_TIMER);
	pic_mask((uint16_t) ~(1u << 2 | 1u << SCI));
	for (unsigned i = 0; i < 16 && !scis; i++)
		wait_for_interrupt();
	pic_mask(0xffff);
	expect_eq("interrupts", scis, 1);
	expect_eq("the timer's highest bit", inl(timer) >> 23 & 1, !before);
	expect_eq("the status afterwards", inw(event) & PM1_TIMER, 0);
	outw(event + 2, 0);
	outb(0x4d1, (uint8_t)(inb(0x4d1) & ~(1u << (SCI - 8))));
}

/* Every value into every register but the one that ends the run. */
void test_events(void)
{
	struct prng prng = { 0xac91 };
	uint16_t event = pm1_event(), control = pm1_control(), events = gpe0();

	expect_eq("SCI_EN", inw(control) & 1, 1);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t v = (uint32_t)prng_next(&prng);

		switch (v % 5) {
		case 0: outl(event, v); break;
		case 1: outw(control, (uint16_t)((v & 0x3fff) | 0x1c00)); break; /* a state that is not there */
		case 2: outb((uint16_t)(event + v % 4), (uint8_t)(v >> 8)); break;
		case 3: outl(events, v); break;
		default: outb((uint16_t)(events + v % 4), (uint8_t)(v >> 8)); break;
		}
	}
	outl(event, 0xffff);
	outl(events, 0xffff);
	expect_eq("events that are enabled", inw(event + 2) | inw(events + 2), 0);
	expect_eq("SCI_EN afterwards", inw(control) & 1, 1);
	outw(control, 0);
}

static uint32_t slots_of_heads(void)
{
	uint32_t slots = 0;

	for (unsigned i = 0; i < head_count; i++)
		slots |= 1u << (FIRST_SLOT + heads[i].index);
	return slots;
}

/* Whatever is written, the cards that are there stay while their own bit is not: and so does what is drawn. */
void test_hotplug_hostile(void)
{
	struct prng prng = { 0x4097 };
	uint32_t cards = slots_of_heads();

	outl(HP_BUS, 0);
	expect_eq("cards that can be taken out", inl(HP_REMOVABLE), cards);
	expect_eq("cards that are new", inl(HP_UP), 0);
	expect_eq("cards that are asked back", inl(HP_DOWN), 0);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t v = (uint32_t)prng_next(&prng);

		outl(HP_UP, v);
		outl(HP_DOWN, ~v);
		outl(HP_REMOVABLE, v);
		outl(HP_EJECT, v & ~cards);
		outl(HP_BUS, v | 1);
		outl(HP_EJECT, UINT32_MAX);
		outl(HP_BUS, 0);
		(void)inw((uint16_t)(HP_UP + v % 19));
	}
	expect_eq("cards afterwards", inl(HP_REMOVABLE), cards);
	for (unsigned i = 0; i < head_count; i++) {
		expect_eq("a head's function", pci_read(FIRST_SLOT + heads[i].index, 0), DISPLAY_ID);
		expect(head_matches(&heads[i]), "head %u shows something else", i);
	}
}

/* The last head is let go of; the others stay. */
void test_eject(void)
{
	struct head *last = &heads[head_count - 1];
	unsigned slot = FIRST_SLOT + last->index;

	if (head_count < 2) {
		skip("there is one head alone");
		return;
	}
	outl(HP_EJECT, 1u << slot);
	expect_eq("its function", pci_read(slot, 0), UINT32_MAX);
	expect_eq("its memory", *(volatile uint32_t *)last->vram, UINT32_MAX);
	*(volatile uint32_t *)last->vram = 0; /* goes nowhere */
	expect_eq("cards that can be taken out", inl(HP_REMOVABLE), slots_of_heads() & ~(1u << slot));
	outl(HP_EJECT, 1u << slot);
	head_count--;
	for (unsigned i = 0; i < head_count; i++) {
		volatile uint32_t *row = head_row(&heads[i], 0);

		row[0] = heads[i].shadow[0] = 0x123456;
		expect(head_matches(&heads[i]), "head %u shows something else", i);
		head_print_screen(&heads[i]);
	}
	hyper_screenshot();
}

/* \_S5 in the DSDT: its name, PackageOp, length, number of elements, then the two types (ACPI 6.4, 20.2.5.4, 7.4.2.6). */
void power_off(void)
{
	const uint8_t *fadt = acpi_find("FACP"), *dsdt = fadt ? (const uint8_t *)get(fadt + 40, 4) : NULL;
	uint64_t len = dsdt ? get(dsdt + 4, 4) : 0;

	for (uint64_t i = 36; i + 8 < len; i++) {
		const uint8_t *p = dsdt + i;

		if (memcmp(p, "_S5_\x12", 5))
			continue;
		p += 7;
		outw(pm1_control(), (uint16_t)((*p == 0x0a ? p[1] : *p) << 10 | 1u << 13));
		return;
	}
}
