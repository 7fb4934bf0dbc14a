#include "guest-tests/lib/pic.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/trap.h"

#define OCW3_IRR 0x0a
#define OCW3_ISR 0x0b
#define EOI 0x20

static volatile uint64_t ticks;

void pic_init(void)
{
	outb(PIC1_COMMAND, 0x11); /* ICW1: cascade, ICW4 follows */
	outb(PIC2_COMMAND, 0x11);
	outb(PIC1_DATA, VEC_IRQ);
	outb(PIC2_DATA, VEC_IRQ + 8);
	outb(PIC1_DATA, 4); /* ICW3: the second one is on line 2 */
	outb(PIC2_DATA, 2);
	outb(PIC1_DATA, 1); /* ICW4: 8086 mode */
	outb(PIC2_DATA, 1);
	pic_mask(0xffff);
}

void pic_mask(uint16_t mask)
{
	outb(PIC1_DATA, (uint8_t)mask);
	outb(PIC2_DATA, (uint8_t)(mask >> 8));
}

void pic_eoi(unsigned irq)
{
	if (irq >= 8)
		outb(PIC2_COMMAND, EOI);
	outb(PIC1_COMMAND, EOI);
}

static uint16_t pic_read(uint8_t ocw3)
{
	outb(PIC1_COMMAND, ocw3);
	outb(PIC2_COMMAND, ocw3);
	return (uint16_t)(inb(PIC1_COMMAND) | inb(PIC2_COMMAND) << 8);
}

uint16_t pic_requests(void)
{
	return pic_read(OCW3_IRR);
}

uint16_t pic_in_service(void)
{
	return pic_read(OCW3_ISR);
}

static bool tick(struct trap_frame *f)
{
	(void)f;
	ticks++;
	pic_eoi(0);
	return true;
}

void timer_start(unsigned hz)
{
	unsigned divisor = PIT_HZ / hz;

	if (divisor > 0xffff)
		divisor = 0; /* 65536 */
	ticks = 0;
	trap_handler(VEC_IRQ, tick);
	outb(PIT_COMMAND, 0x34); /* channel 0, both bytes, mode 2 */
	outb(PIT_CHANNEL0, (uint8_t)divisor);
	outb(PIT_CHANNEL0, (uint8_t)(divisor >> 8));
	pic_mask(0xfffe);
}

uint64_t timer_ticks(void)
{
	return ticks;
}

void timer_stop(void)
{
	pic_mask(0xffff);
}
