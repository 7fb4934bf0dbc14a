/* From entry.asm to tessera_main: brings up the machine below the VMM, each step on the ones before. */
#include <stddef.h>
#include <string.h>

#include "boot/acpi.h"
#include "boot/bootinfo.h"
#include "boot/image.h"
#include "boot/multiboot.h"
#include "boot/tables.h"
#include "mm/frames.h"
#include "mm/map.h"
#include "vmm/cpu.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/uart.h"
#include "vmm/log.h"
#include "vmm/main.h"

#define EXIT_FAILED 62 /* isa-debug-exit makes 125 of it: the VMM failed */

static struct cpu boot_cpu;
static struct boot_info boot_info;
static struct boot_options boot_options;

void boot_main(uint32_t magic, uint64_t addr);

static const void *map_machine(const struct boot_view *v, uint64_t address, uint64_t len)
{
	(void)v;
	if (!address || address >= 1ull << 32 || len > (1ull << 32) - address)
		return NULL;
	return (const void *)(uintptr_t)address;
}

const struct boot_view boot_view_machine = {
	.map = map_machine,
	.image_start = (uintptr_t)image_start,
	.image_end = (uintptr_t)image_end,
};

int bootinfo_read(struct boot_info *bi, uint32_t magic, uint64_t addr, const char **why)
{
	return bootinfo_read_view(bi, &boot_view_machine, magic, addr, why);
}

static _Noreturn void refuse(const char *what, const char *why)
{
	log_error("%s: %s", what, why);
	machine_off(EXIT_FAILED);
}

/* The line must work to say what is wrong with the command line that sets it: COM1 first, then what the command line names. */
static void start_log(void)
{
	static const char banner[] =
		"\nTessera " TESSERA_VERSION ": a microhypervisor that streams its guest's screens over this line.\n";
	uart_init(0x3f8, 115200, UART_CLOCK);
	log_set_sink(uart_write_wait);
	uart_write_wait(banner, sizeof(banner) - 1);
}

static void read_options(void)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	const char *why = NULL;
	if (bootinfo_options(boot_info.cmdline, &boot_options, &why))
		refuse("command line", why);
	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (!strcmp(boot_options.log, levels[i]))
			log_set_level((enum log_level)i);
	}
	if (boot_options.port == 0x3f8 && boot_options.baud == 115200 && boot_options.uart_clock == UART_CLOCK)
		return;
	uart_drain();
	if (uart_init(boot_options.port, boot_options.baud, boot_options.uart_clock)) {
		uart_init(0x3f8, 115200, UART_CLOCK);
		log_error("no UART answers at port=0x%x, or it has no divisor for baud=%u at uart-clock=%u: staying at 0x3f8 and "
			  "115200",
			  boot_options.port, boot_options.baud, boot_options.uart_clock);
		boot_options.port = 0x3f8;
		boot_options.baud = 115200;
		boot_options.uart_clock = UART_CLOCK;
	}
}

void boot_main(uint32_t magic, uint64_t addr)
{
	const char *why = NULL;
	tables_init(&boot_cpu);
	start_log();
	if (bootinfo_read(&boot_info, magic, addr, &why))
		refuse("boot information", why);
	read_options();
	cpu_detect(&boot_cpu.features);

	/* The loader's data and ACPI's tables can be read only as long as the early map stands and no frame is given out. */
	acpi_read(&boot_info, &boot_view_machine);
	if (frames_init(&boot_info, (uintptr_t)image_start, (uintptr_t)image_end))
		refuse("memory", "no RAM below 4 GiB is left for the VMM: give the machine more");
	if (map_init(&boot_info))
		refuse("memory", "too little RAM for the VMM's page tables: give the machine more");
	if (map_audit())
		panic("a page that is writable and executable, or a guard page that is mapped");
	if (irq_init(&boot_info, boot_options.port))
		refuse("interrupts", "this CPU has no local APIC, or it is switched off: enable it in the firmware's set-up");
	if (!boot_info.cpu_count)
		boot_info.cpu_apic_id[boot_info.cpu_count++] = boot_cpu.apic_id;
	if (time_init(&boot_info))
		refuse("time", "no clock works: neither PIT, ACPI timer nor HPET counts, or the local APIC's timer stands still");
	log_info("memory: %zu MiB to give, CPUs: %u", frames_total() / 256, boot_info.cpu_count);
	tessera_main(&boot_info, &boot_options);
}
