/* The line's pump: bytes between the UART and the link, and when the next ones are due. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "vmm/control.h"
#include "vmm/hw/hw.h"
#include "vmm/input.h"
#include "vmm/line_priv.h"
#include "vmm/log.h"
#include "vmm/vm.h"

#define LINE_LOG_RING (64u << 10)
#define LINE_SERIAL_RING (256u << 10)
#define LINE_CONTROL_RING (32u << 10)
#define LINE_WINDOW 4096          /* bytes that the host may have in flight to us */
#define LINE_SLICE 2048           /* bytes to the UART in one pump while the guest has work */
#define LINE_IDLE_SLICE 65536
#define LINE_ECHO_NS 250000000ull /* so long after an input its echo is waited for */
#define LINE_BAUD_NS 200000ull	  /* so soon it is looked at again whether the UART is empty */

struct line line;

/* ---- what the link asks of us */

static void on_connected(void *arg)
{
	(void)arg;
	memset(&line.control, 0, sizeof(line.control));
	memset(&line.input, 0, sizeof(line.input));
	line.close_bad = false;
	line.plain_tail = line.plain_head;
	line.progress_ns = time_ns();
	line_picture_begin(line.progress_ns);
	log_debug("a host attached (session %llu)", (unsigned long long)line.link.sessions);
	if (line.vm && line.vm->ended)
		control_announce_end(line.vm);
}

static void on_disconnected(void *arg, unsigned reason)
{
	(void)arg;
	log_info("the host left (%u)", reason);
}

static void on_stream(void *arg, enum link_stream s, const uint8_t *data, size_t len)
{
	(void)arg;
	if (s == LINK_CONTROL && proto_feed(&line.control, data, len, control_message, line.vm)) {
		log_warn("the host sent a malformed control message: the session ends");
		line.close_bad = true;
	}
	if (s == LINK_SERIAL)
		line_serial_in(data, len);
	if (s == LINK_INPUT) {
		line.echo_until_ns = time_ns() + LINE_ECHO_NS;
		line.next_frame_ns = 0;
	}
	if (s == LINK_INPUT && line.vm && proto_feed(&line.input, data, len, input_message, line.vm)) {
		log_warn("the host sent a malformed input message: the session ends");
		line.close_bad = true;
	}
}

static void on_jumped(void *arg, enum link_stream s, uint32_t lost)
{
	(void)arg;
	(void)lost;
	if (s == LINK_CONTROL)
		memset(&line.control, 0, sizeof(line.control));
	if (s == LINK_INPUT)
		memset(&line.input, 0, sizeof(line.input));
}

static uint32_t on_room(void *arg)
{
	(void)arg;
	return line_serial_room();
}

static size_t on_build(void *arg, uint8_t *buf, struct dtx_cookie *cookie)
{
	(void)arg;
	return line_datagram(buf, cookie);
}

static void on_answer(void *arg, const struct dtx_cookie *cookie, bool ok)
{
	(void)arg;
	line_datagram_answer(cookie, ok);
}

static const struct link_ops line_ops = {
	.connected = on_connected,
	.disconnected = on_disconnected,
	.stream = on_stream,
	.jumped = on_jumped,
	.room = on_room,
	.build = on_build,
	.answer = on_answer,
};

/* Which of link_bauds the UART has a divisor for. */
static uint32_t raised_bauds(void)
{
	uint32_t can = 0;

	for (unsigned i = 0; i < LINK_BAUDS; i++)
		can |= (uint32_t)uart_can(link_bauds[i]) << i;
	return can;
}

int line_init(uint32_t baud, unsigned share)
{
	struct link_ring rings[LINK_STREAMS] = {
		[LINK_CONTROL] = { .size = LINE_CONTROL_RING },
		[LINK_LOG] = { .size = LINE_LOG_RING, .keep = true },
		[LINK_SERIAL] = { .size = LINE_SERIAL_RING, .keep = true },
	};

	for (unsigned i = 0; i < LINK_STREAMS; i++) {
		if (!rings[i].size)
			continue;
		rings[i].buf = (uint8_t *)(uintptr_t)frames_alloc(rings[i].size / PAGE_SIZE, 1);
		if (!rings[i].buf)
			return -ENOMEM;
	}
	pace_init(&line.pace, share, time_ns());
	link_init(&line.link, LINK_VMM, &line_ops, NULL, rings, 0, LINE_WINDOW);
	link_baud_init(&line.link, baud, raised_bauds());
	line.link.rate_least = uart_rate();
	log_set_sink(line_log_out);
	panic_set_writer(line_panic_out);
	return 0;
}

void line_attach(struct vm *vm)
{
	line.vm = vm;
}

/* ---- the pump */

static void receive(uint64_t now_us)
{
	uint8_t in[64];
	size_t n, total = 0;

	while (total < LINE_IDLE_SLICE && (n = uart_read(in, sizeof(in)))) {
		link_rx(&line.link, in, n, now_us);
		total += n;
	}
}

/* The next bytes for the UART, at most one FIFO's worth. */
static size_t next_chunk(uint64_t now_us)
{
	if (link_baud_wanted(&line.link))
		return 0;
	if (!line.link.up && line.plain_tail != line.plain_head)
		return line_plain_take(line.chunk, sizeof(line.chunk));
	return link_tx(&line.link, line.chunk, sizeof(line.chunk), now_us);
}

/* Fills the UART as far as it takes bytes and the budget goes. */
static void transmit(size_t budget, uint64_t now_us)
{
	while (budget) {
		size_t n;

		if (line.chunk_pos == line.chunk_len) {
			line.chunk_pos = 0;
			line.chunk_len = next_chunk(now_us);
			if (!line.chunk_len) {
				line.tx_state = TX_DONE;
				return;
			}
		}
		n = uart_write(line.chunk + line.chunk_pos, line.chunk_len - line.chunk_pos);
		if (!n) {
			line.tx_state = TX_FIFO;
			return;
		}
		line.chunk_pos += n;
		budget -= n < budget ? n : budget;
	}
	line.tx_state = TX_SLICE;
}

/*
 * A guest that has work gets as much time as the line had. That matters for a UART without a baud rate, as QEMU's, which takes all at
 * once, and where each port access is dear, as under nested KVM: there the line could be busy with single bytes of text all the time.
 */
static void plan_slice(bool idle, uint64_t started)
{
	uint64_t now = time_ns();

	line.next_slice_ns = idle ? now : now + (now - started);
}

/* Transmits and codes within this pump's share of time; what is coded ahead while the line is busy is sent by a later one. */
static void send(bool idle)
{
	uint64_t now = time_ns(), allowed = pace_allow(&line.pace, now, idle);

	line.encode_until = line.link.up ? now + allowed : now;
	transmit(idle ? LINE_IDLE_SLICE : LINE_SLICE, now / 1000);
	line_encode();
}

/* Changes the rate when the link asks for it and all is out. */
static void set_baud(uint64_t now_us)
{
	uint32_t baud = link_baud_wanted(&line.link);

	if (!baud || line.chunk_pos != line.chunk_len || !uart_empty())
		return;
	link_baud_set(&line.link, !uart_set_baud(baud), now_us);
	line.link.rate_least = uart_rate();
	log_info("the line runs at %u baud", uart_rate() * 10);
}

void line_pump(bool idle)
{
	uint64_t now = time_ns();

	receive(now / 1000);
	if (line.close_bad && line.link.up)
		link_bye(&line.link, 1);
	if (!idle && now < line.next_slice_ns) {
		line.tx_state = TX_SLICE;
		uart_tx_interrupt(false);
		return;
	}
	line_look(now);
	line.text_ns = 0;
	send(idle);
	set_baud(now / 1000);
	uart_tx_interrupt(line.tx_state == TX_FIFO);
	plan_slice(idle, now);
	line_serial_go_on(now);
}

/* While bytes wait for the UART, the link's own deadline is now, but nothing can be done about it before they are out. */
static uint64_t tx_deadline(uint64_t now)
{
	uint64_t next;

	switch (line.tx_state) {
	case TX_FIFO: return UINT64_MAX;
	case TX_SLICE: return line.next_slice_ns;
	default:
		if (link_baud_wanted(&line.link))
			return now + LINE_BAUD_NS;
		next = link_deadline(&line.link, now / 1000);
		return next == UINT64_MAX ? next : next * 1000;
	}
}

uint64_t line_deadline(void)
{
	uint64_t now = time_ns(), next = tx_deadline(now), encoding = line_encode_deadline(now);

	next = encoding < next ? encoding : next;
	if (line.link.up && line.next_frame_ns < next)
		next = line.next_frame_ns;
	if (line.text_ns && line.text_ns < next)
		next = line.text_ns;
	return next > line.next_slice_ns ? next : line.next_slice_ns; /* line_pump would do nothing before */
}

bool line_up(void)
{
	return line.link.up;
}

bool line_settled(void)
{
	return !line.link.up || (dtx_idle(&line.tx, true) && link_drained(&line.link));
}

void line_message(enum proto_type type, const void *body, size_t len)
{
	static uint8_t out[PROTO_MAX + 2];
	size_t n = proto_make(out, sizeof(out), type, body, len);

	if (n)
		link_write(&line.link, LINK_CONTROL, out, n);
}

void line_close(void)
{
	uint8_t out[64];
	size_t n;

	if (line.link.up)
		link_bye(&line.link, 0);
	for (unsigned i = 0; i < 256 && (n = link_tx(&line.link, out, sizeof(out), time_ns() / 1000)); i++)
		uart_write_wait((const char *)out, n);
	while ((n = line_plain_take(out, sizeof(out))))
		uart_write_wait((const char *)out, n);
}

size_t line_stats(char *buf, size_t size)
{
	const struct link *l = &line.link;
	const struct display_tx *tx = &line.tx;

	return (size_t)snprintf(
		buf, size,
		"\"codec_fast\":%u,\"codec_changes\":%llu,\"encode_ns\":%llu,\"encode_busy_ns\":%llu,\"guest_busy_ns\":%llu,\"encode_share\":%u,"
		"\"encode_taken_permille\":%u,\"encode_slices\":%llu,"
		"\"tiles_sent\":%llu,\"tile_bytes\":%llu,\"datagrams\":%llu,\"datagrams_again\":%llu,\"beginnings\":%llu,\"breaks\":%llu,"
		"\"line_tx_bytes\":%llu,\"line_rx_bytes\":%llu,\"line_tx_frames\":%llu,\"line_rx_frames\":%llu,"
		"\"line_rx_bad\":%llu,\"line_lost_frames\":%llu,\"line_sessions\":%llu,\"uart_errors\":%llu,"
		"\"bytes\":{\"control\":%llu,\"log\":%llu,\"serial\":%llu,\"display\":%llu,\"other\":%llu}",
		dtx_fast(&line.tx), (unsigned long long)tx->changes, (unsigned long long)line.pace.used, (unsigned long long)line.pace.used_busy,
		(unsigned long long)line.pace.busy, line.pace.share, pace_taken(&line.pace), (unsigned long long)tx->slices, (unsigned long long)tx->tiles_sent, (unsigned long long)tx->tiles_bytes,
		(unsigned long long)tx->datagrams, (unsigned long long)tx->again, (unsigned long long)tx->begins, (unsigned long long)tx->breaks,
		(unsigned long long)l->tx_bytes, (unsigned long long)l->rx_bytes, (unsigned long long)l->tx_frames,
		(unsigned long long)l->rx_frames, (unsigned long long)l->rx_bad, (unsigned long long)l->lost_frames,
		(unsigned long long)l->sessions, (unsigned long long)uart_errors,
		(unsigned long long)l->tx_bytes_by_type[LINK_CONTROL], (unsigned long long)l->tx_bytes_by_type[LINK_LOG],
		(unsigned long long)l->tx_bytes_by_type[LINK_SERIAL], (unsigned long long)l->tx_bytes_by_type[LINK_STREAMS],
		(unsigned long long)l->tx_bytes_by_type[LINK_STREAMS + 1]);
}
