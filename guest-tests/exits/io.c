/* IN and OUT, and the devices every kernel finds first: COM1's scratch register, CMOS, PIT, PIC. */
#include "guest-tests/exits/exits.h"

#define COM1_SCRATCH 0x3ff
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_NMI_OFF 0x80

static void test_unclaimed(void)
{
	for (uint16_t port = UNCLAIMED_PORT; port < UNCLAIMED_PORT + 8; port++) {
		outb(port, 0);
		outw(port, 0);
		outl(port, 0);
		expect_eq("8 bits", inb(port), 0xff);
		if (bare_tcg() && port & 3) /* QEMU reads 0 where an access is not aligned */
			continue;
		expect_eq("16 bits", inw(port), 0xffff);
		expect_eq("32 bits", inl(port), 0xffffffff);
	}
	expect_eq("32 bits at the last port", inl(0xfffc), 0xffffffff);
}

/* IN replaces 8 or 16 bits of RAX and keeps the rest; 32 bits clear the upper half. Nothing else changes, flags included. */
static void test_registers(void)
{
	for (unsigned i = 0; i < 300; i++) {
		struct regs before, r;
		regs_random(&before);
		before.rdx = (before.rdx & ~0xffffull) | UNCLAIMED_PORT;
		r = before;
		around_in8(&r);
		expect_regs("IN AL", &r, &before, REG_RAX);
		expect_eq("RAX after IN AL", r.rax, before.rax | 0xff);
		r = before;
		around_in16(&r);
		expect_regs("IN AX", &r, &before, REG_RAX);
		expect_eq("RAX after IN AX", r.rax, before.rax | 0xffff);
		r = before;
		around_in32(&r);
		expect_regs("IN EAX", &r, &before, REG_RAX);
		expect_eq("RAX after IN EAX", r.rax, 0xffffffff);
		r = before;
		around_out8(&r);
		expect_regs("OUT", &r, &before, 0);
	}
}

static void test_scratch(void)
{
	for (unsigned v = 0; v < 256; v += 5) {
		outb(COM1_SCRATCH, (uint8_t)v);
		expect_eq("scratch register", inb(COM1_SCRATCH), v);
	}
}

static uint8_t cmos(uint8_t index)
{
	outb(CMOS_INDEX, CMOS_NMI_OFF | index);
	return inb(CMOS_DATA);
}

static void test_cmos(void)
{
	uint8_t seconds, b = cmos(0xb), old;

	expect(cmos(0xd) & 0x80, "the RTC says that its battery is flat");
	for (unsigned i = 0; i < 100000 && (cmos(0xa) & 0x80); i++) /* update in progress */
		;
	seconds = cmos(0);
	if (!(b & 4))
		expect((seconds & 15) < 10 && seconds < 0x60, "0x%x seconds in BCD", (unsigned)seconds);
	else
		expect(seconds < 60, "%u seconds", (unsigned)seconds);
	expect((cmos(8) & 15) + (cmos(8) >> 4) * 10 >= 1, "month 0");
	old = cmos(0xf);
	outb(CMOS_INDEX, CMOS_NMI_OFF | 0xf);
	outb(CMOS_DATA, 0x5a);
	expect_eq("CMOS byte 0xf", cmos(0xf), 0x5a);
	outb(CMOS_INDEX, CMOS_NMI_OFF | 0xf);
	outb(CMOS_DATA, old);
	outb(CMOS_INDEX, 0xd); /* NMIs on again */
}

static uint16_t pit_latched(void)
{
	uint8_t lo;

	outb(PIT_COMMAND, 0x00); /* latch channel 0 */
	lo = inb(PIT_CHANNEL0);
	return (uint16_t)(lo | inb(PIT_CHANNEL0) << 8);
}

static void test_pit(void)
{
	uint16_t last, now;
	unsigned down = 0, changed = 0;

	outb(PIT_COMMAND, 0x34); /* channel 0, both bytes, mode 2 */
	outb(PIT_CHANNEL0, 0);
	outb(PIT_CHANNEL0, 0);
	last = pit_latched();
	for (unsigned i = 0; i < 2000; i++) {
		for (volatile unsigned wait = 0; wait < 200; wait++)
			;
		now = pit_latched();
		changed += now != last;
		down += now < last;
		last = now;
	}
	expect(changed > 20, "it changed %u times", changed);
	expect(down >= changed - changed / 8 - 2, "of %u changes only %u were downwards", changed, down);
	outb(PIT_COMMAND, 0xe2); /* read back: status of channel 0 (8254 data sheet) */
	expect_eq("channel 0's mode", inb(PIT_CHANNEL0) & 0x3f, 0x34);
}

static void test_pic(void)
{
	for (unsigned mask = 0; mask < 256; mask += 15) {
		outb(PIC1_DATA, (uint8_t)(mask | 1));
		outb(PIC2_DATA, (uint8_t)~mask);
		expect_eq("first mask", inb(PIC1_DATA), mask | 1);
		expect_eq("second mask", inb(PIC2_DATA), ~mask & 0xff);
	}
	pic_mask(0xffff);
	expect_eq("lines in service", pic_in_service(), 0);
}

/* What QEMU's fw_cfg tells test kernels: its signature, CPUs, and RAM, which must be what the memory map says. */
static void test_fw_cfg(void)
{
	uint64_t ram = 0;

	outw(0x510, 0);
	expect(inb(0x511) == 'Q' && inb(0x511) == 'E' && inb(0x511) == 'M' && inb(0x511) == 'U', "no signature");
	outw(0x510, 5);
	expect_eq("CPUs", inb(0x511) | inb(0x511) << 8, 1);
	outw(0x510, 3);
	for (unsigned i = 0; i < 64; i += 8)
		ram |= (uint64_t)inb(0x511) << i;
	expect_eq("RAM", ram >> 20, (boot.mem_upper >> 10) + 1);
}

const struct test io_tests[] = {
	{ "io-unclaimed", test_unclaimed },
	{ "io-registers", test_registers },
	{ "io-scratch", test_scratch },
	{ "io-cmos", test_cmos },
	{ "io-pit", test_pit },
	{ "io-pic", test_pic },
	{ "io-fw-cfg", test_fw_cfg },
	{ 0 },
};
