/* The line's text: the VMM's log, the guest's COM1 both ways, and what a bare terminal sees of it while no host is attached. */
#include "vmm/hw/hw.h"
#include "vmm/line_priv.h"
#include "vmm/vm.h"

#define LINE_TEXT_NS 2000000ull     /* the guest's text is collected this long, so that frames are not of one byte */
#define LINE_STALL_NS 2000000000ull /* a host that took nothing for this long does not hold the guest's COM1 up */
#define LINE_GO_ON 64u              /* bytes of room before the guest's transmitter goes on */

static void plain_put(const void *text, size_t len)
{
	const uint8_t *p = text;

	for (size_t i = 0; i < len; i++) {
		if (line.plain_head - line.plain_tail == LINE_PLAIN)
			line.plain_tail++;
		line.plain[line.plain_head++ % LINE_PLAIN] = p[i];
	}
}

size_t line_plain_take(uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (n < cap && line.plain_tail != line.plain_head)
		out[n++] = line.plain[line.plain_tail++ % LINE_PLAIN];
	return n;
}

void line_log_out(const char *text, size_t len)
{
	link_write(&line.link, LINK_LOG, text, len);
	if (!line.link.up)
		plain_put(text, len);
}

void line_panic_out(const char *text, size_t len)
{
	static const char delimiter;

	uart_write_wait(&delimiter, 1);
	uart_write_wait(text, len);
}

/* ---- the guest's COM1 */

/* The guest's UART takes what its FIFO has room for; the rest waits until the guest has read it. */
static void feed_serial(void)
{
	while (line.vm && line.vm->pc && line.typed_tail != line.typed_head) {
		uint32_t at = line.typed_tail % LINE_TYPED, n = line.typed_head - line.typed_tail;

		n = n < LINE_TYPED - at ? n : LINE_TYPED - at;
		n = (uint32_t)pc_serial_in(line.vm->pc, line.typed + at, n);
		if (!n)
			return;
		line.typed_tail += n;
	}
}

uint32_t line_serial_room(void)
{
	return LINE_TYPED - (line.typed_head - line.typed_tail);
}

void line_serial_in(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		line.typed[line.typed_head++ % LINE_TYPED] = data[i];
	feed_serial();
}

/* Whether the host still takes bytes: it settled something lately, or nothing is owed to it. */
static bool progressing(uint64_t now)
{
	const struct link_ring *r = &line.link.ring[LINK_SERIAL];

	if (r->settled != line.progress_settled || r->settled == r->head) {
		line.progress_settled = r->settled;
		line.progress_ns = now;
	}
	return now - line.progress_ns < LINE_STALL_NS;
}

bool line_serial_out(uint8_t byte)
{
	if (line.link.up && !link_room(&line.link, LINK_SERIAL) && progressing(time_ns())) {
		line.serial_stopped = true;
		return false;
	}
	link_write(&line.link, LINK_SERIAL, &byte, 1);
	if (!line.link.up)
		plain_put(&byte, 1);
	if (!line.text_ns) {
		line.text_ns = time_ns() + LINE_TEXT_NS;
		line.vm->rearm = true;
	}
	return true;
}

void line_serial_drained(void)
{
	feed_serial();
	link_more(&line.link);
	if (line.vm && line.link.owe_ack)
		line.vm->rearm = true; /* the host is told soon */
}

void line_serial_go_on(uint64_t now)
{
	if (line.serial_stopped && (link_room(&line.link, LINK_SERIAL) > LINE_GO_ON || !line.link.up || !progressing(now))) {
		line.serial_stopped = false;
		pc_serial_ready(line.vm->pc);
	}
}
