/* What the boot loader told us, read out of multiboot 1 or 2 once, checked, copied, and never looked at in place again. */
#ifndef BOOT_BOOTINFO_H
#define BOOT_BOOTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_MEMORY_MAX 128
#define BOOT_MODULES_MAX 16
#define BOOT_CMDLINE_MAX 1024
#define BOOT_CPUS_MAX 64

struct boot_memory {
	uint64_t base, len;
	uint32_t type; /* as in E820: 1 usable, 2 reserved, 3 ACPI, 4 NVS, 5 bad */
};

struct boot_module {
	uint64_t start, end;	     /* physical, end exclusive */
	char args[BOOT_CMDLINE_MAX]; /* the module's string */
};

struct boot_info {
	const char *loader; /* "multiboot 1" or "multiboot 2" */
	char loader_name[64];
	char cmdline[BOOT_CMDLINE_MAX];
	unsigned memory_count, module_count;
	struct boot_memory memory[BOOT_MEMORY_MAX];
	struct boot_module module[BOOT_MODULES_MAX];
	uint64_t rsdp; /* multiboot 2's copy of the ACPI RSDP, or 0 */
	/* from ACPI (boot/acpi.c) */
	unsigned cpu_count;
	uint32_t cpu_apic_id[BOOT_CPUS_MAX];
	uint64_t lapic_base, ioapic_base; /* 0: none told */
	uint32_t ioapic_gsi_base;
	uint32_t isa_gsi[16];	/* ISA IRQ -> GSI, after interrupt source overrides */
	uint8_t isa_flags[16];	/* polarity and trigger as in MADT's overrides */
	uint16_t pm_timer_port; /* ACPI power management timer, 0: none told */
	bool pm_timer_32;	/* it has 32 bits, else 24 */
	uint64_t hpet_base;	/* 0: none told */
};

/**
 * Reads and checks what EAX (magic) and EBX (address) gave. Ranges that wrap, overlap the image or lie outside of RAM are dropped
 * with a message or refused.
 * Returns 0, or -EINVAL with a sentence in *why.
 */
int bootinfo_read(struct boot_info *bi, uint32_t magic, uint64_t addr, const char **why);

#define UART_CLOCK 1843200 /* Hz: what a PC's UART divides */
#define WATCHDOG_SECONDS 10

/* The VMM's own options, from the command line (COMMAND.md: paging= dirty= heads= memory= cpus= port= baud= uart-clock= share= log= wait=
 * watchdog=; for tests canary= failalloc= selftest=). */
struct boot_options {
	char paging[16], dirty[16], heads[256], log[16];
	char wait[16];	     /* "host": the guest starts when a host attaches; "no" */
	char canary[4];	     /* "yes": all memory that nobody has is watched for stray writes */
	char selftest[8];    /* "stall": HC_STALL is there */
	uint32_t watchdog;   /* seconds that an exit may take (vmm/watchdog.h); 0: any */
	uint32_t failalloc;  /* this allocation fails, counted from the first one for the guest; 0: none */
	uint32_t memory_mib; /* guest RAM, 0: default */
	uint32_t cpus;
	uint16_t port;	/* UART's I/O port, default 0x3f8 */
	uint32_t baud;	/* where sessions begin; default 115200 */
	uint32_t uart_clock; /* Hz that the UART divides; default UART_CLOCK */
	uint32_t share; /* of a busy guest's time, for the display's encoder: percent, default 25 */
};

/** Parses the command line (the first word may be the image's path). Unknown words: -EINVAL, *why names the word. */
int bootinfo_options(const char *cmdline, struct boot_options *o, const char **why);

#endif
