/* The CPU's own registers and tables in hostile hands, and the VMM's hypercalls. */
#include "guest-tests/storm/storm.h"

#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/paging.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/window.h"

#define ROUNDS 40
#define NOISE_SLOT 5 /* of the PML4, which nobody else uses */
#define NOISE_PAGES 8
#define WATCH_US 5000
#define CR4_KNOWN (CR4_TSD | CR4_DE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE)

static uint64_t noise[NOISE_PAGES][512] __attribute__((aligned(4096)));

static uint32_t an_msr(void)
{
	static const uint32_t bases[] = { 0x0,	      0x10,	  0x1b,	      0x3a,	  0x8b,	      0xc0,	  0xfe,
					  0x174,      0x179,	  0x186,      0x1a0,	  0x1d9,      0x200,	  0x250,
					  0x268,      0x277,	  0x2ff,      0x345,	  0x38d,      0x400,	  0x480,
					  0x560,      0x600,	  0x6e0,      0x800,	  0xc80,      0xd90,	  0xda0,
					  0x40000000, 0x4b564d00, 0xc0000080, 0xc0000100, 0xc0010000, 0xc0010114, 0xc0011020 };

	return once_in(8) ? (uint32_t)a_value() : bases[below(sizeof(bases) / sizeof(bases[0]))] + below(20);
}

void attack_msrs(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t msr = an_msr();
		uint64_t value = a_value();

		if (try_rdmsr(msr, &value) == TRAP_NONE && once_in(2))
			value ^= 1ull << below(64);
		else if (once_in(2))
			value = a_value();
		if (once_in(2))
			try_wrmsr(msr, value);
	}
}

static void write_some_register(uint64_t value)
{
	switch (below(12)) {
	case 0: TRY_IN("mov %0, %%cr0", value); break;
	case 1: TRY_IN("mov %0, %%cr0", read_cr0() ^ 1ull << below(32)); break;
	case 2: TRY_IN("mov %0, %%cr4", value); break;
	case 3: TRY_IN("mov %0, %%cr4", read_cr4() ^ 1ull << below(32)); break;
	case 4: TRY_IN("mov %0, %%cr4", CR4_PAE | (value & CR4_KNOWN)); break;
	case 5: TRY_IN("mov %0, %%cr8", value & (once_in(4) ? ~0ull : 15)); break;
	case 6: TRY_IN("mov %0, %%cr2", value); break;
	case 7: TRY_IN("mov %0, %%dr0", value); break;
	case 8: /* QEMU 7.2 keeps no account of breakpoints over VMRUN and dies of a later MOV to DR7: its guests get none */
		TRY_IN("mov %0, %%dr7", cpu_is_tcg() ? value & ~0xffull : value);
		break;
	case 9: TRY_IN("mov %0, %%dr6", value); break;
	case 10: try_wrmsr(MSR_EFER, once_in(2) ? value : rdmsr(MSR_EFER) ^ 1ull << below(20)); break;
	default: TRY_IN("mov %0, %%cr3", once_in(40) ? value : (uint64_t)pml4 | (value & 0x18)); break;
	}
}

void attack_control(void)
{
	watch_start(WATCH_US);
	for (unsigned i = 0; i < ROUNDS; i++)
		write_some_register(a_value());
}

void attack_xcr(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t value = once_in(2) ? a_value() : (below(256) | 1);
		uint32_t reg = once_in(4) ? (uint32_t)a_value() : 0;

		if (once_in(2))
			TRY_IN("mov %0, %%cr4", CR4_PAE | CR4_OSXSAVE | CR4_OSFXSR | (once_in(2) ? CR4_OSXMMEXCPT : 0));
		trap_begin();
		__asm__ volatile(GUARD("xsetbv")::"c"(reg), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
		trap_begin();
		__asm__ volatile(GUARD("xgetbv")::"c"(reg) : "eax", "edx");
		if (once_in(2)) {
			trap_begin();
			__asm__ volatile(GUARD("xsave (%0)")::"r"((uint64_t)noise & ~63ull), "a"(~0u), "d"(once_in(2) ? ~0u : 0u)
					 : "memory");
		} else {
			uint64_t at = once_in(4) ? an_address() : (uint64_t)noise + below(8) * 64;

			trap_begin();
			__asm__ volatile(GUARD("xrstor (%0)")::"r"(at), "a"(~0u), "d"(0) : "memory");
		}
	}
}

/* Tables elsewhere, of any length, or of noise: and then something that needs them. */
void attack_tables(void)
{
	struct table_pointer p = { .limit = (uint16_t)(once_in(2) ? wide() : 0xffff),
				   .base = once_in(3) ? a_value() : an_address() };
	bool harmless = !once_in(12); /* a table in nowhere is the end: what is made of noise here leaves the way back */

	watch_start(WATCH_US);
	for (unsigned i = 0; i < NOISE_PAGES * 512; i++)
		noise[i / 512][i % 512] = once_in(2) ? wide() : a_value();
	if (harmless) { /* the kernel's own descriptors, among noise */
		memcpy(noise[0], gdt, 16 * 8);
		p = (struct table_pointer){ .limit = (uint16_t)(127 + 8 * below(400)), .base = (uint64_t)noise[0] };
		lgdt(&p);
		memcpy(noise[2], idt, 32 * 16);
		p = (struct table_pointer){ .limit = (uint16_t)(32 * 16 - 1 + below(224 * 16)), .base = (uint64_t)noise[2] };
		lidt(&p);
		for (unsigned i = 0; i < sizeof(tss) / 4; i++)
			if (i == 1 || i > 15)
				((uint32_t *)&tss)[i] = (uint32_t)a_value();
	} else if (once_in(2)) {
		TRY_IN("lgdt (%0)", &p);
	} else {
		TRY_IN("lidt (%0)", &p);
	}
	for (unsigned i = 0; i < ROUNDS / 2; i++) {
		uint64_t selector = below(0x1000);

		switch (below(8)) {
		case 0: TRY_IN("lldt %w0", selector); break;
		case 1: TRY_IN("mov %w0, %%ds", selector); break;
		case 2: TRY_IN("mov %w0, %%fs", selector); break;
		case 3: TRY_IN("mov %w0, %%gs", selector); break;
		case 4: TRY_IN("ltr %w0", selector); break;
		case 5: TRY_IN("verr %w0", selector); break;
		case 6: TRY("int $0x77"); break;
		default: user_run(NULL, 0, NULL); break;
		}
	}
}

/* An entry that leads to noise, to itself, to a device, out of memory, or to the kernel's own tables. */
static uint64_t an_entry(void)
{
	uint64_t entry = once_in(3)    ? (uint64_t)noise[below(NOISE_PAGES)]
			 : once_in(12) ? (uint64_t)pml4
				       : an_address() & 0x000ffffffffff000ull;

	entry |= (wide() & 0xfe6) | (once_in(8) ? 0 : PTE_P) | (once_in(4) ? PTE_NX : 0) | (once_in(16) ? wide() << 40 : 0);
	return once_in(6) ? wide() : entry & ~(once_in(4) ? 0ull : (uint64_t)PTE_PS);
}

void attack_paging(void)
{
	volatile uint64_t *tables = (volatile uint64_t *)noise;

	watch_start(WATCH_US);
	for (unsigned i = 0; i < NOISE_PAGES * 512; i++)
		tables[i] = an_entry();
	if (once_in(2))
		try_wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	pml4[NOISE_SLOT] = (uint64_t)noise[0] | PTE_P | PTE_W | (once_in(2) ? PTE_U : 0);
	write_cr3((uint64_t)pml4);
	for (unsigned i = 0; i < 2 * ROUNDS; i++) {
		uint64_t at = ((uint64_t)NOISE_SLOT << 39) + (wide() >> 25), value = wide();

		trap_begin();
		switch (below(7)) {
		case 0: __asm__ volatile(GUARD("movq (%1), %0") : "=r"(value) : "r"(at) : "memory"); break;
		case 1: __asm__ volatile(GUARD("movb (%1), %b0") : "=q"(value) : "r"(at) : "memory"); break;
		case 2: __asm__ volatile(GUARD("movq %0, (%1)")::"r"(an_entry()), "r"(at) : "memory"); break;
		case 3: tables[below(NOISE_PAGES * 512)] = an_entry(); break;
		case 4: invlpg((void *)at); break;
		case 5: __asm__ volatile(GUARD("lock; xaddq %0, (%1)") : "+r"(value) : "r"(at) : "memory"); break;
		default:
			if (once_in(4))
				write_cr3((uint64_t)pml4);
			else
				__asm__ volatile(GUARD("prefetcht0 (%0)")::"r"(at) : "memory");
			break;
		}
	}
	pml4[NOISE_SLOT] = 0;
	write_cr3((uint64_t)pml4);
}

static uint64_t an_argument(void)
{
	switch (below(4)) {
	case 0: return below(8);
	case 1: return (uint64_t)noise + below(sizeof(noise));
	default: return a_value();
	}
}

void attack_hypercalls(void)
{
	if (!hyper_present())
		return;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t number = HC_BASE + below(16);

		if (number == HC_SCREENSHOT) /* waits for the far end */
			number = (uint32_t)a_value();
		if (number == HC_POKE) { /* at first sight a valid one */
			struct hc_poke *p = (struct hc_poke *)noise[1];

			*p = (struct hc_poke){ .gpa = an_address(),
					       .bytes = once_in(4) ? (uint32_t)a_value() : below(4097),
					       .seed = below(99) };
			hypercall4(number, once_in(3) ? an_address() : (uint64_t)p, 0, 0, 0);
			continue;
		}
		hypercall4(number, an_argument(), an_argument(), an_argument(), an_argument());
	}
}

void attack_triple(void)
{
	static const struct table_pointer none;

	lidt(&none);
	__asm__ volatile("int3");
}

void attack_halt(void)
{
	watch_start(WATCH_US);
	for (;;)
		__asm__ volatile("cli; hlt");
}
