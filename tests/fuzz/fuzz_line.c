/*
 * A hostile host at the VMM's end: vmm/line.c, control.c and input.c with the real link and the guest's real PC, behind a UART that hears
 * what the input says. The guest reads and writes its COM1 meanwhile.
 * Input: u8, bit 0: no frames but bytes as they are; then pieces: a frame without its CRC, or what the guest does.
 */
/* links: vmm/line*.c vmm/control.c vmm/input.c stream/[a-z]*.c devices/pc.c devices/pc_misc.c devices/i8042.c devices/fw_cfg.c */
/* links: devices/testdev.c devices/pci.c devices/vlapic.c devices/vlapic_reg.c devices/vlapic_timer.c devices/ioapic.c devices/hpet.c */
/* links: devices/pic8259.c devices/pit8254.c devices/rtc_mc146818.c devices/calendar.c devices/uart16550.c devices/clock.c devices/bus.c */
/* links: devices/acpi_pm.c devices/acpi_pcihp.c devices/debug_port.c */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/dirty.h"
#include "mm/frames.h"
#include "mm/shadow.h"
#include "stream/cobs.h"
#include "stream/crc32c.h"
#include "stream/link.h"
#include "tests/fuzz/pieces.h"
#include "vmm/control.h"
#include "vmm/fpu.h"
#include "vmm/heads.h"
#include "vmm/hotplug.h"
#include "vmm/hw/hw.h"
#include "vmm/line.h"
#include "vmm/log.h"
#include "vmm/report.h"
#include "vmm/vm.h"
#include "vmm/wall.h"

#define PIECES_MAX 200

static struct vm vm;
static struct vcpu vcpu;
static uint64_t now_ns;
static uint8_t memory[1 << 20] __attribute__((aligned(4096)));
static size_t memory_used;
static const uint8_t *heard; /* what the UART has for us */
static size_t heard_len;
static unsigned fifo; /* bytes that it takes until time goes on */

/* ---- what is below the line */

uint64_t uart_errors;

size_t uart_read(uint8_t *p, size_t cap)
{
	size_t n = cap < heard_len ? cap : heard_len;

	if (n)
		memcpy(p, heard, n);
	heard += n;
	heard_len -= n;
	return n;
}

size_t uart_write(const uint8_t *p, size_t n)
{
	static volatile uint8_t sum;

	n = n < fifo ? n : fifo;
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + p[i]);
	fifo -= (unsigned)n;
	return n;
}

void uart_write_wait(const char *p, size_t n)
{
	(void)p, (void)n;
}

uint32_t uart_rate(void)
{
	return 11520;
}

bool uart_can(uint32_t baud)
{
	return baud % 1000000 == 0;
}

bool uart_empty(void)
{
	return true;
}

int uart_set_baud(uint32_t baud)
{
	return uart_can(baud) || baud == 115200 ? 0 : -EINVAL;
}

void uart_tx_interrupt(bool on)
{
	(void)on;
}

static bool lent;

void fpu_lend(void)
{
	if (lent)
		abort();
	lent = true;
}

void fpu_take_back(void)
{
	if (!lent)
		abort();
	lent = false;
}

uint64_t time_ns(void)
{
	return now_ns;
}

uint64_t frames_alloc(size_t count, size_t align)
{
	void *p = memory + memory_used;

	(void)align;
	memory_used += count * 4096;
	if (memory_used > sizeof(memory))
		abort();
	return (uint64_t)(uintptr_t)p;
}

size_t frames_total(void)
{
	return 1;
}

size_t frames_available(void)
{
	return 1;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level, (void)fmt;
}

void log_set_sink(log_sink_fn sink)
{
	(void)sink;
}

void panic_set_writer(void (*w)(const char *text, size_t len))
{
	(void)w;
}

/* ---- what is beside it */

void heads_refresh(struct vm *v, struct display_tx *tx)
{
	(void)v, (void)tx;
}

void heads_unplug(struct vm *v, unsigned n, struct display_tx *tx)
{
	(void)v, (void)n, (void)tx;
}

static void with_arguments(uint32_t id, const char *args)
{
	if (strlen(args) > PROTO_MAX)
		abort();
	control_reply(id, 0, args);
}

void hotplug_plug(struct vm *v, uint32_t id, const char *args)
{
	(void)v;
	with_arguments(id, args);
}

void hotplug_unplug(struct vm *v, uint32_t id, const char *args)
{
	(void)v;
	with_arguments(id, args);
}

void hotplug_resize(struct vm *v, uint32_t id, const char *args)
{
	(void)v;
	with_arguments(id, args);
}

void wall_check(const struct vm *v, bool all)
{
	(void)v, (void)all;
}

size_t wall_stats(char *buf, size_t size)
{
	return size > 2 ? (memcpy(buf, "{}", 3), 2) : 0;
}

const char *exit_name(enum exit_kind kind)
{
	(void)kind;
	return "exit";
}

const struct shadow_counts *shadow_counters(const struct shadow *sh)
{
	(void)sh;
	abort(); /* there is none */
}

long dirty_pending(struct dirty *d, int consumer, int range)
{
	(void)d, (void)consumer, (void)range;
	return 0;
}

static void fetch(struct vcpu *v, uint32_t groups)
{
	v->avail |= groups;
}

static void counters(struct vcpu *v, uint64_t *accesses, uint64_t *flushes)
{
	(void)v;
	*accesses = *flushes = 0;
}

static const struct vcpu_ops cpu_ops = { .name = "fuzz", .fetch = fetch, .counters = counters };

/* ---- the guest */

static bool serial_out(void *arg, uint8_t byte)
{
	(void)arg;
	return line_serial_out(byte);
}

static void serial_drained(void *arg)
{
	(void)arg;
	line_serial_drained();
}

static void ignore(void *arg)
{
	(void)arg;
}

static void ignore_value(void *arg, uint32_t value)
{
	(void)arg, (void)value;
}

static void ignore_slot(void *arg, unsigned slot)
{
	(void)arg, (void)slot;
}

static void ignore_text(void *arg, const char *text)
{
	(void)arg, (void)text;
}

static uint64_t guest_now(void *arg)
{
	(void)arg;
	return now_ns;
}

static uint64_t guest_tsc_time(void *arg, uint64_t tsc)
{
	(void)arg;
	return tsc > now_ns ? tsc : now_ns;
}

static int no_read(void *arg, uint64_t gpa, void *to, size_t len)
{
	(void)arg, (void)gpa, (void)to, (void)len;
	return -EFAULT;
}

static int no_write(void *arg, uint64_t gpa, const void *from, size_t len)
{
	(void)arg, (void)gpa, (void)from, (void)len;
	return -EFAULT;
}

static const struct pc_ops pc_ops = { .serial_out = serial_out,
				      .serial_drained = serial_drained,
				      .debug_exit = ignore_value,
				      .power_off = ignore,
				      .reset = ignore,
				      .firmware_says = ignore_text,
				      .intr = ignore,
				      .nmi = ignore,
				      .tsc = guest_now,
				      .tsc_time = guest_tsc_time,
				      .ejected = ignore_slot,
				      .memory_read = no_read,
				      .memory_write = no_write };

static void make(bool guest)
{
	static const struct dirty_source source = { .name = "none" };

	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	now_ns = 1000000000;
	memory_used = 0;
	heard_len = 0;
	vcpu.vm = &vm;
	vm.vcpu = &vcpu;
	vm.dirty.source = &source;
	vm.clock = (struct clock){ .now = guest_now, .arg = &vm };
	vm.ended = !guest;
	if (line_init(115200, 25))
		abort();
	if (guest) {
		vcpu.ops = &cpu_ops;
		vm.pc = pc_create(&vm.bus, &vm.clock, &pc_ops, &vm, 16 << 20);
		if (!vm.pc)
			abort();
	}
	line_attach(&vm);
}

/* ---- what happens */

static void hear(const uint8_t *bytes, size_t len)
{
	heard = bytes;
	heard_len = len;
	fifo = 64;
	line_pump(len & 1);
	(void)line_deadline();
	now_ns += 20000000;
}

static void hear_frame(const uint8_t *body, size_t len)
{
	uint8_t frame[LINK_FRAME_MAX], on_line[LINK_LINE_MAX] = { 0 };
	uint32_t crc;
	size_t n;

	len = len < LINK_FRAME_MAX - 4 ? len : LINK_FRAME_MAX - 4;
	memcpy(frame, body, len);
	crc = crc32c(0, body, len);
	memcpy(frame + len, &crc, 4);
	n = cobs_encode(frame, len + 4, on_line + 1);
	on_line[n + 1] = 0;
	hear(on_line, n + 2);
}

/* Two bytes and 0xff before them: an access to COM1 or the keyboard controller. */
static void guest_does(const uint8_t *p)
{
	uint64_t port = p[1] & 8 ? 0x60 + (p[1] & 4) : 0x3f8u + (p[1] & 7);

	if (p[1] & 0x80)
		bus_write(&vm.bus, BUS_PIO, port, 1, p[2]);
	else
		(void)bus_read(&vm.bus, BUS_PIO, port, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pieces p = { data + 1, size - 1 };
	const uint8_t *body;
	size_t len;

	if (!size)
		return 0;
	make(!(data[0] & 2));
	if (data[0] & 1) {
		hear(data + 1, size - 1);
		return 0;
	}
	for (unsigned i = 0; i < PIECES_MAX && (body = pieces_next(&p, &len)); i++) {
		if (len == 3 && body[0] == 0xff && vm.pc)
			guest_does(body);
		else if (len)
			hear_frame(body, len);
	}
	line_close();
	return 0;
}
