/*
 * Reads 10,000 characters from COM1, slower than they come, half of them polled and half by interrupts, and checks each: none may
 * be lost. The sender (tests/run) writes them all at once when the guest says "ready".
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/trap.h"

#define COM1 0x3f8
#define IRQ_COM1 4
#define IER_RDA 0x01
#define MCR_ON 0x0b /* DTR, RTS, and OUT2, which lets the interrupt through */
#define LSR_DR 0x01
#define LSR_OE 0x02
#define COUNT 10000u
#define BURST 16u
#define PAUSE 100u /* accesses to a port, each an exit, after so many characters */

static volatile unsigned taken, wrong, overruns;

int main(void);

static void pause_a_little(void)
{
	for (unsigned i = 0; i < PAUSE; i++)
		outb(0x80, 0);
}

/* Takes what is there, at most a FIFO's worth. False: there is nothing. */
static bool take_burst(void)
{
	for (unsigned i = 0; i < BURST && taken < COUNT; i++) {
		uint8_t lsr = inb(COM1 + 5);

		overruns += lsr & LSR_OE ? 1 : 0;
		if (!(lsr & LSR_DR))
			return i;
		if (inb(COM1) != 'a' + (taken * 7 + taken / 26) % 26)
			wrong++;
		taken++;
	}
	pause_a_little();
	return taken < COUNT;
}

static bool on_com1(struct trap_frame *f)
{
	(void)f;
	while (take_burst())
		; /* the interrupt is an edge: there is no other while bytes are left */
	pic_eoi(IRQ_COM1);
	return true;
}

int main(void)
{
	guest_init();
	print("ready\n");
	while (taken < COUNT / 2)
		take_burst();
	check(!wrong && !overruns, "polled", "a character was lost or another one");
	trap_handler(VEC_IRQ + IRQ_COM1, on_com1);
	pic_mask(0xffff & ~(1u << IRQ_COM1));
	outb(COM1 + 4, MCR_ON);
	outb(COM1 + 1, IER_RDA);
	while (taken < COUNT)
		__asm__ volatile("sti; hlt; cli" ::: "memory");
	outb(COM1 + 1, 0);
	check(!wrong && !overruns, "interrupts", "a character was lost or another one");
	return tests_failed() ? 1 : 0;
}
