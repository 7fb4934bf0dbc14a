/* Devices in hostile hands: ports, memory, PCI, interrupts. */
#include "guest-tests/storm/storm.h"

#include "guest-tests/lib/pic.h"

#define ROUNDS 60
#define ECAM 0xfef00000ull
#define TESTDEV_IRQS 0x2000
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_DIVIDE 0x3e0
#define APIC_EOI 0xb0
#define ICR_INIT (5u << 8)
#define ICR_SELF (1u << 18)
#define PIT_PIN 2
#define HPET_PIN 22
#define WATCH_US 10000

static uint8_t buffer[2 * PAGE] __attribute__((aligned(4096)));

void attack_ports(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint16_t port = a_port();
		uint32_t value = (uint32_t)a_value();

		switch (below(6)) {
		case 0: outb(port, (uint8_t)value); break;
		case 1: outw(port, (uint16_t)value); break;
		case 2: outl(port, value); break;
		case 3: inb(port); break;
		case 4: inw(port); break;
		default: inl(port); break;
		}
	}
}

void attack_string_ports(void)
{
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		uint64_t at = once_in(3) ? an_address() : (uint64_t)buffer + below(2 * PAGE - 2048), count = below(300);
		uint16_t port = a_port();

		trap_begin();
		switch (below(6)) {
		case 0: __asm__ volatile(GUARD("rep insb") : "+D"(at), "+c"(count) : "d"(port) : "memory"); break;
		case 1: __asm__ volatile(GUARD("rep insw") : "+D"(at), "+c"(count) : "d"(port) : "memory"); break;
		case 2: __asm__ volatile(GUARD("rep insl") : "+D"(at), "+c"(count) : "d"(port) : "memory"); break;
		case 3: __asm__ volatile(GUARD("rep outsb") : "+S"(at), "+c"(count) : "d"(port) : "memory"); break;
		case 4: __asm__ volatile(GUARD("rep outsw") : "+S"(at), "+c"(count) : "d"(port) : "memory"); break;
		default: __asm__ volatile(GUARD("rep outsl") : "+S"(at), "+c"(count) : "d"(port) : "memory"); break;
		}
		trap_end();
	}
}

static uint64_t a_register(void)
{
	static const struct {
		uint64_t base;
		uint32_t len;
	} devices[] = {
		{ 0xa0000, 0x20000 },	 { 0xd0000000, 0x10000 }, { 0xd2000000, 0x10000 }, { 0xf1000000, 0x2000 },
		{ 0xfec00000, 0x100 },	 { 0xfec00000, 0x1000 },  { 0xfed00000, 0x200 },   { 0xfed00000, 0x1000 },
		{ 0xfee00000, 0x400 },	 { 0xfee00000, 0x1000 },  { 0xfef00000, 0x20000 }, { 0xff000000, 0x10000 },
		{ 0xc0000000, 0x10000 }, { 0xffff0000, 0x10000 },
	};
	unsigned i = below(sizeof(devices) / sizeof(devices[0]));
	uint64_t at = devices[i].base + below(devices[i].len);

	return once_in(3) ? at : at & ~15ull;
}

void attack_mmio(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t at = a_register(), value = a_value();
		uint64_t from = (uint64_t)buffer, count = below(40);

		trap_begin();
		switch (below(10)) {
		case 0: __asm__ volatile(GUARD("movb %b0, (%1)")::"q"(value), "r"(at) : "memory"); break;
		case 1: __asm__ volatile(GUARD("movw %w0, (%1)")::"r"(value), "r"(at) : "memory"); break;
		case 2: __asm__ volatile(GUARD("movl %k0, (%1)")::"r"(value), "r"(at) : "memory"); break;
		case 3: __asm__ volatile(GUARD("movq %0, (%1)")::"r"(value), "r"(at) : "memory"); break;
		case 4: __asm__ volatile(GUARD("movq (%1), %0") : "=r"(value) : "r"(at) : "memory"); break;
		case 5: __asm__ volatile(GUARD("lock; xaddl %k0, (%1)") : "+r"(value) : "r"(at) : "memory"); break;
		case 6: __asm__ volatile(GUARD("rep movsb") : "+D"(at), "+S"(from), "+c"(count)::"memory"); break;
		case 7: __asm__ volatile(GUARD("rep movsq") : "+D"(from), "+S"(at), "+c"(count)::"memory"); break;
		case 8: __asm__ volatile(GUARD("rep stosl") : "+D"(at), "+c"(count) : "a"(value) : "memory"); break;
		default: __asm__ volatile(GUARD("movl (%1), %k0") : "=r"(value) : "r"(at) : "memory"); break;
		}
		trap_end();
	}
}

void attack_pci(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t function = once_in(4) ? below(0x10000) : below(8) << 3, reg = below(once_in(4) ? 256 : 64),
			 value = (uint32_t)a_value();
		volatile uint8_t *at =
			(volatile uint8_t *)(ECAM + ((function & 0xff) << 12) + (once_in(6) ? below(PAGE - 3) : reg));

		if (once_in(3)) {
			outl(0xcf8, once_in(8) ? (uint32_t)wide() : 0x80000000u | function << 8 | (reg & 0xfc));
			if (once_in(3))
				inl((uint16_t)(0xcfc + (reg & 3)));
			else if (once_in(2))
				outl(0xcfc, value);
			else if (once_in(2))
				outw((uint16_t)(0xcfc + (reg & 2)), (uint16_t)value);
			else
				outb((uint16_t)(0xcfc + (reg & 3)), (uint8_t)value);
		} else if (once_in(3)) {
			(void)*(volatile uint32_t *)at;
		} else if (once_in(2)) {
			*(volatile uint32_t *)at = value;
		} else {
			*at = (uint8_t)value;
		}
	}
}

/* But for its RAM from 0x60 on, where the progress is. */
void attack_rtc(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		outb(0x70, (uint8_t)(below(0x60) | (once_in(4) ? 0x80 : 0)));
		if (once_in(2))
			outb(0x71, (uint8_t)a_value());
		else
			inb(0x71);
	}
	outb(0x70, 0x7f);
}

static bool on_interrupt(struct trap_frame *f)
{
	(void)f;
	*mmio32(LOCAL_APIC + APIC_EOI) = 0;
	if (once_in(4)) {
		outb(PIC1_COMMAND, 0x20);
		outb(PIC2_COMMAND, 0x20);
	}
	return true;
}

static void let_in(void)
{
	for (unsigned n = below(3000); n; n--)
		__asm__ volatile("sti; nop; nop");
	if (once_in(2))
		__asm__ volatile("sti; hlt; cli");
	__asm__ volatile("cli");
}

void attack_interrupts(void)
{
	for (unsigned v = 32; v < 256; v++)
		trap_handler(v, on_interrupt);
	watch_start(WATCH_US);
	for (unsigned pin = 0; pin < 24; pin++) {
		if (pin == PIT_PIN || pin == HPET_PIN)
			continue;
		ioapic_write(0x11 + 2 * pin, once_in(4) ? (uint32_t)wide() : 0);
		ioapic_write(0x10 + 2 * pin,
			     once_in(3) ? (uint32_t)wide() & 0x1ffff : 0x20 + below(0xe0) + (once_in(3) ? 0x8000 : 0));
	}
	pic_mask((uint16_t)wide());
	*mmio32(LOCAL_APIC + APIC_TIMER_DIVIDE) = below(16);
	*mmio32(LOCAL_APIC + APIC_LVT_TIMER) = (once_in(3) ? (uint32_t)wide() : 0x20 + below(0xe0)) | 1u << 17;
	*mmio32(LOCAL_APIC + APIC_TIMER_INITIAL) = 20 + below(5000);
	for (unsigned i = 0; i < ROUNDS / 2; i++) {
		switch (below(4)) {
		case 0: outb((uint16_t)(TESTDEV_IRQS + below(24)), (uint8_t)below(2)); break;
		case 1:
			*mmio32(LOCAL_APIC + APIC_ICR_HIGH) = (uint32_t)wide();
			*mmio32(LOCAL_APIC + APIC_ICR) = (uint32_t)wide() & (once_in(10) ? ~0u : ~ICR_INIT);
			break;
		case 2: *mmio32(LOCAL_APIC + APIC_ICR) = ICR_SELF | (0x10 + below(0xf0)); break;
		default: let_in(); break;
		}
	}
	for (unsigned i = 0; i < 24; i++)
		outb((uint16_t)(TESTDEV_IRQS + i), 0);
}

static bool on_nmi(struct trap_frame *f)
{
	(void)f;
	if (once_in(8)) /* one more, while this one is being handled */
		*mmio32(LOCAL_APIC + APIC_ICR) = ICR_SELF | 4u << 8;
	if (once_in(16))
		__asm__ volatile("int3");
	return !once_in(40);
}

static bool on_breakpoint(struct trap_frame *f)
{
	(void)f;
	return true;
}

/* NMIs at every instruction, in handlers, behind STI and MOV SS. */
void attack_nmi(void)
{
	trap_handler(VEC_NMI, on_nmi);
	trap_handler(VEC_BP, on_breakpoint);
	idt[VEC_BP].ist = 1; /* not the stack that the NMI's frame is on */
	for (unsigned i = 0; i < ROUNDS; i++) {
		*mmio32(LOCAL_APIC + APIC_ICR) = ICR_SELF | 4u << 8;
		switch (below(4)) {
		case 0: __asm__ volatile("sti; nop; cli"); break;
		case 1: __asm__ volatile("mov %%ss, %%eax; mov %%eax, %%ss; nop" ::: "eax"); break;
		case 2: __asm__ volatile("int3"); break;
		default: __asm__ volatile("pushf; popf"); break;
		}
	}
}
