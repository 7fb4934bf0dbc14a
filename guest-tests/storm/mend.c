/* What brings the storm back: the watchdog, and all that a case may have left behind put right. */
#include "guest-tests/storm/storm.h"

#include "guest-tests/lib/crc32.h"
#include "guest-tests/lib/paging.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"

#define APIC_BASE_RESET (LOCAL_APIC | 1u << 11 | 1u << 8)
#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_SVR 0xf0
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_EOI 0xb0
#define MASKED (1u << 16)
#define DELIVER_NMI (4u << 8)
#define TO_ALL 0xff000000u /* whatever the local APIC's number has become */
#define PIT_PIN 2
#define HPET 0xfed00000ull
#define HPET_PERIOD (HPET + 4)
#define HPET_CONFIG (HPET + 0x10)
#define HPET_COUNTER (HPET + 0xf0)
#define HPET_TIMER(n) (HPET + 0x100 + 0x20 * (n))
#define HPET_PIN 22
#define HPET_PERIODIC (1u << 2 | 1u << 3 | 1u << 6 | HPET_PIN << 9)
#define WATCH_US_MAX 50000u

extern const struct table_pointer gdt_pointer;
extern char guards_start[]; /* the constants end there */
static uint8_t trap_stack_memory[3][8192] __attribute__((aligned(16)));
static uint32_t image_crc;
static volatile bool watching;
static uint64_t gdt_copy[16], pml4_first;

void ioapic_write(unsigned index, uint32_t value)
{
	*mmio32(IO_APIC) = index;
	*mmio32(IO_APIC + 0x10) = value;
}

static volatile uint64_t *hpet(uint64_t at)
{
	return (volatile uint64_t *)at;
}

/* The 8254 once, and the HPET again and again at twice that: code that hits the one may leave the other. */
void watch_start(uint32_t us)
{
	uint64_t count, period;

	us = us < WATCH_US_MAX ? us : WATCH_US_MAX;
	count = (uint64_t)us * PIT_HZ / 1000000;
	period = (uint64_t)us * 2000000000ull / (*mmio32(HPET_PERIOD) | 1);
	watching = true;
	outb(PIT_COMMAND, 0x30); /* mode 0: rises once, at its end */
	ioapic_write(0x10 + 2 * PIT_PIN + 1, TO_ALL);
	ioapic_write(0x10 + 2 * PIT_PIN, DELIVER_NMI);
	outb(PIT_CHANNEL0, (uint8_t)count);
	outb(PIT_CHANNEL0, (uint8_t)(count >> 8));
	ioapic_write(0x10 + 2 * HPET_PIN + 1, TO_ALL);
	ioapic_write(0x10 + 2 * HPET_PIN, DELIVER_NMI);
	*hpet(HPET_CONFIG) = 0;
	*hpet(HPET_COUNTER) = 0;
	*hpet(HPET_TIMER(0)) = HPET_PERIODIC;
	*hpet(HPET_TIMER(0) + 8) = period;
	*hpet(HPET_TIMER(0) + 8) = period;
	*hpet(HPET_CONFIG) = 1;
}

void watch_stop(void)
{
	watching = false;
	ioapic_write(0x10 + 2 * PIT_PIN, MASKED);
	ioapic_write(0x10 + 2 * HPET_PIN, MASKED);
	*hpet(HPET_CONFIG) = 0;
	outb(PIT_COMMAND, 0x30);
}

static bool on_nmi(struct trap_frame *f)
{
	bool late = !watching;

	(void)f;
	watching = false;
	return late;
}

static void mend_apics(void)
{
	uint64_t base;

	/* Out of x2APIC mode only by way of off. */
	if (try_rdmsr(MSR_APIC_BASE, &base) == TRAP_NONE && base != APIC_BASE_RESET) {
		try_wrmsr(MSR_APIC_BASE, LOCAL_APIC | (base & 1u << 8));
		try_wrmsr(MSR_APIC_BASE, APIC_BASE_RESET);
	}
	*mmio32(LOCAL_APIC + APIC_ID) = 0;
	*mmio32(LOCAL_APIC + APIC_SVR) = 0x1ff;
	*mmio32(LOCAL_APIC + APIC_TPR) = 0;
	for (uint32_t at = APIC_LVT_TIMER; at <= APIC_LVT_ERROR; at += 0x10)
		*mmio32(LOCAL_APIC + at) = MASKED;
	*mmio32(LOCAL_APIC + APIC_TIMER_INITIAL) = 0;
	for (unsigned i = 0; i < 16; i++)
		*mmio32(LOCAL_APIC + APIC_EOI) = 0;
	for (unsigned pin = 0; pin < 24; pin++)
		ioapic_write(0x10 + 2 * pin, MASKED);
	*hpet(HPET_CONFIG) = 0;
	for (unsigned n = 0; n < 3; n++)
		*hpet(HPET_TIMER(n)) = 0;
}

/* Descriptors and gates anew, and a stack for each kind of trap: what was interrupted may have had none. */
static void mend_tables(void)
{
	for (unsigned i = 0; i < 16; i++)
		gdt[i] = gdt_copy[i];
	lgdt(&gdt_pointer);
	trap_reset();
	for (unsigned i = 0; i < 3; i++)
		tss.ist[i] = (uint64_t)trap_stack_memory[i] + sizeof(trap_stack_memory[i]);
	for (unsigned v = 0; v < 256; v++)
		idt[v].ist = v == VEC_DF ? 1 : v == VEC_NMI ? 3 : 2;
	trap_handler(VEC_NMI, on_nmi);
}

/* A handler that never returned has left NMIs blocked: the next IRET unblocks them. */
static void unblock_nmis(void)
{
	__asm__ volatile("mov %%rsp, %%rax; push %0; push %%rax; pushf; push %1; lea 1f(%%rip), %%rax; push %%rax; iretq; 1:" ::"i"(
				 KERNEL_DS),
			 "i"(KERNEL_CS)
			 : "rax", "memory");
}

void mend(void)
{
	interrupts_off();
	pml4[0] = pml4_first;
	write_cr3((uint64_t)pml4);
	write_cr4(CR4_PAE);
	write_cr0(CR0_PE | CR0_ET | CR0_NE | CR0_PG);
	write_dr7(0x400);
	write_cr8(0);
	mend_tables();
	unblock_nmis();
	outb(PIT_COMMAND, 0x30);
	mend_apics();
	pic_init();
	outb(0x92, 2); /* A20 */
	print_init();
}

void image_remember(void)
{
	for (unsigned i = 0; i < 16; i++)
		gdt_copy[i] = gdt[i];
	pml4_first = pml4[0];
	image_crc = crc32(0, image_start, (uint64_t)guards_start - (uint64_t)image_start);
}

bool image_whole(void)
{
	return crc32(0, image_start, (uint64_t)guards_start - (uint64_t)image_start) == image_crc;
}

void reset_machine(void)
{
	static const struct table_pointer none;

	outb(0xcf9, 0xe);
	outb(0x64, 0xfe);
	lidt(&none);
	__asm__ volatile("ud2");
	__builtin_unreachable();
}
