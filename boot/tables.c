/* GDT, TSS and IDT in long mode (SDM vol. 3 3.4.5, 6.14, 7.7). */
#include "boot/tables.h"

#include <stddef.h>

#include "boot/image.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3 figure 7-11");
_Static_assert(offsetof(struct tss, ist) == 36, "SDM vol. 3 figure 7-11");

struct idt_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "SDM vol. 3 figure 6-8");

#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate */
#define TSS_AVAILABLE 0x89  /* present, DPL 0, 64-bit TSS */

/* IST numbers. #PF has one too: a stack that ran into its guard page can't take the frame. */
enum { IST_NONE, IST_DF, IST_NMI, IST_MC, IST_PF };

struct cpu_tables {
	uint64_t gdt[5];
	struct tss tss;
};

extern const char isr_stubs[]; /* boot/isr.asm: 16 bytes for each vector */

static struct cpu_tables boot_tables;
static struct idt_gate idt[256];

static void load_gdt(struct cpu_tables *t)
{
	uint64_t base = (uintptr_t)&t->tss, limit = sizeof(t->tss) - 1;
	const struct tss tss = {
		.ist = {
			[IST_DF - 1] = (uintptr_t)ist_stack_df + IST_STACK_SIZE,
			[IST_NMI - 1] = (uintptr_t)ist_stack_nmi + IST_STACK_SIZE,
			[IST_MC - 1] = (uintptr_t)ist_stack_mc + IST_STACK_SIZE,
			[IST_PF - 1] = (uintptr_t)ist_stack_pf + IST_STACK_SIZE,
		},
		.iomap = sizeof(struct tss),
	};
	t->tss = tss;
	t->gdt[0] = 0;
	t->gdt[SELECTOR_CODE / 8] = 0x00af9b000000ffff;
	t->gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	t->gdt[SELECTOR_TSS / 8] = limit | (base & 0xffffff) << 16 | (uint64_t)TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	t->gdt[SELECTOR_TSS / 8 + 1] = base >> 32;

	struct x86_table gdtr = { .limit = sizeof(t->gdt) - 1, .base = (uintptr_t)t->gdt };
	lgdt(&gdtr);
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "mov %1, %%ds\n\t"
			 "mov %1, %%es\n\t"
			 "mov %1, %%ss\n\t"
			 "mov %2, %%fs\n\t"
			 "mov %2, %%gs"
			 :
			 : "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(0)
			 : "rax", "memory");
	ltr(SELECTOR_TSS);
}

static void load_idt(void)
{
	static const uint8_t ist[256] = { [VEC_NMI] = IST_NMI, [VEC_DF] = IST_DF, [VEC_PF] = IST_PF, [VEC_MC] = IST_MC };
	for (unsigned v = 0; v < 256; v++) {
		uint64_t stub = (uintptr_t)isr_stubs + 16 * v;
		idt[v] = (struct idt_gate){
			.offset_low = stub & 0xffff,
			.offset_mid = stub >> 16 & 0xffff,
			.offset_high = (uint32_t)(stub >> 32),
			.selector = SELECTOR_CODE,
			.ist = ist[v],
			.type = GATE_INTERRUPT,
		};
	}
	struct x86_table idtr = { .limit = sizeof(idt) - 1, .base = (uintptr_t)idt };
	lidt(&idtr);
}

void tables_init(struct cpu *c)
{
	load_gdt(&boot_tables);
	load_idt();
	c->self = c;
	c->stack_low = (uintptr_t)boot_stack;
	c->stack_high = (uintptr_t)boot_stack + BOOT_STACK_SIZE;
	wrmsr(MSR_GS_BASE, (uintptr_t)c);
}
