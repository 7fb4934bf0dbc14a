#include "vmm/line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "stream/link.h"
#include "stream/pace.h"
#include "vmm/control.h"
#include "vmm/fpu.h"
#include "vmm/hw/hw.h"
#include "vmm/input.h"
#include "vmm/log.h"
#include "vmm/vm.h"

#define LINE_LOG_RING (64u << 10)
#define LINE_SERIAL_RING (256u << 10)
#define LINE_CONTROL_RING (32u << 10)
#define LINE_PLAIN (16u << 10)    /* text that waits for a bare terminal */
#define LINE_TYPED 4096           /* bytes for the guest's COM1 that it has not read; a power of two; what is more waits at the host */
#define LINE_WINDOW 4096          /* bytes that the host may have in flight to us */
#define LINE_SLICE 2048           /* bytes to the UART in one pump while the guest has work */
#define LINE_IDLE_SLICE 65536
#define LINE_TEXT_NS 2000000ull   /* the guest's text is collected this long, so that frames are not of one byte */
#define LINE_FAST_WINDOW 32768    /* a host lets a quarter of a second of its line be in flight: from 1.3 Mbaud on the CPU is what limits */
#define LINE_CHOOSE_NS 50000000ull
#define LINE_ECHO_NS 250000000ull /* so long after an input its echo is waited for */
#define LINE_ECHO_FRAME_NS 4000000ull /* and heads are looked at this often */
#define LINE_BAUD_NS 200000ull     /* so soon it is looked at again whether the UART is empty */
#define LINE_STALL_NS 2000000000ull /* a host that took nothing for this long does not hold the guest's COM1 up */

static struct {
	struct link link;
	struct display_tx tx;
	struct pace pace;
	uint64_t encode_until;        /* the end of this pump's share of time */
	bool ready;                   /* a datagram is complete */
	struct proto_reader control, input;
	struct vm *vm;
	uint8_t chunk[16];            /* one UART FIFO's worth on its way */
	size_t chunk_len, chunk_pos;
	uint8_t plain[LINE_PLAIN];
	uint32_t plain_head, plain_tail;
	uint64_t chosen_ns, chosen_busy; /* when the codec's modes were last chosen, and how long the guest had been busy by then */
	uint64_t next_frame_ns, echo_until_ns, text_ns, progress_ns;
	uint32_t progress_settled;
	enum {
		TX_DONE,  /* there is nothing to send, or the link waits for the host */
		TX_FIFO,  /* goes on at the UART's interrupt */
		TX_SLICE, /* goes on at next_slice_ns */
	} tx_state;
	uint64_t next_slice_ns;
	uint8_t typed[LINE_TYPED];
	uint32_t typed_head, typed_tail;
	bool serial_stopped;          /* the guest's transmitter waits for room */
	bool close_bad;               /* the host broke the protocol */
} line;

/* ---- plain text, while no host is attached */

static void plain_put(const void *text, size_t len)
{
	const uint8_t *p = text;

	for (size_t i = 0; i < len; i++) {
		if (line.plain_head - line.plain_tail == LINE_PLAIN)
			line.plain_tail++;
		line.plain[line.plain_head++ % LINE_PLAIN] = p[i];
	}
}

static size_t plain_take(uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (n < cap && line.plain_tail != line.plain_head)
		out[n++] = line.plain[line.plain_tail++ % LINE_PLAIN];
	return n;
}

static void log_out(const char *text, size_t len)
{
	link_write(&line.link, LINK_LOG, text, len);
	if (!line.link.up)
		plain_put(text, len);
}

/* A panic's text: within a session too it goes out as plain lines, after a delimiter that ends whatever frame was on its way. */
static void panic_out(const char *text, size_t len)
{
	static const char delimiter;

	uart_write_wait(&delimiter, 1);
	uart_write_wait(text, len);
}

/* ---- what the link asks of us */

static void on_connected(void *arg)
{
	(void)arg;
	memset(&line.control, 0, sizeof(line.control));
	memset(&line.input, 0, sizeof(line.input));
	line.close_bad = false;
	line.plain_tail = line.plain_head;
	line.next_frame_ns = 0;
	line.progress_ns = time_ns();
	line.ready = false;
	line.tx.fast = line.link.window >= LINE_FAST_WINDOW; /* at first; then by what is measured */
	dtx_reset(&line.tx, line.progress_ns);
	log_debug("a host attached (session %llu)", (unsigned long long)line.link.sessions);
	if (line.vm && line.vm->ended)
		control_announce_end(line.vm);
}

static void on_disconnected(void *arg, unsigned reason)
{
	(void)arg;
	log_info("the host left (%u)", reason);
}

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

static uint32_t on_room(void *arg)
{
	(void)arg;
	return LINE_TYPED - (line.typed_head - line.typed_tail);
}

/* There is room: the link asked on_room. */
static void take_serial(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		line.typed[line.typed_head++ % LINE_TYPED] = data[i];
	feed_serial();
}

static void on_stream(void *arg, enum link_stream s, const uint8_t *data, size_t len)
{
	(void)arg;
	if (s == LINK_CONTROL && proto_feed(&line.control, data, len, control_message, line.vm)) {
		log_warn("the host sent a malformed control message: the session ends");
		line.close_bad = true;
	}
	if (s == LINK_SERIAL)
		take_serial(data, len);
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

/* Codes until a datagram is complete, there is nothing to do, or this pump's time is over. */
static void encode(void)
{
	uint64_t begin = time_ns(), now = begin, was;
	enum dtx_status status = DTX_WORKING;

	fpu_lend();
	while (!line.ready && status == DTX_WORKING && now < line.encode_until) {
		status = dtx_work(&line.tx, link_body(&line.link), 1);
		line.ready = status == DTX_READY;
		was = now;
		now = time_ns();
		dtx_spent(&line.tx, now - was);
	}
	fpu_take_back();
	pace_use(&line.pace, now - begin);
}

static size_t on_build(void *arg, uint8_t *buf, struct dtx_cookie *cookie)
{
	(void)arg;
	encode();
	line.ready = false;
	return dtx_take(&line.tx, buf, cookie);
}

static void on_answer(void *arg, const struct dtx_cookie *cookie, bool ok)
{
	(void)arg;
	dtx_answer(&line.tx, cookie, ok);
	line.ready &= ok; /* what was complete may be for nothing */
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
	log_set_sink(log_out);
	panic_set_writer(panic_out);
	return 0;
}

void line_attach(struct vm *vm)
{
	line.vm = vm;
}

/* ---- the pump */

void line_refresh(void)
{
	if (line.vm)
		heads_refresh(line.vm, &line.tx);
}

void line_unplug_head(unsigned n)
{
	heads_unplug(line.vm, n, &line.tx);
}

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
		return plain_take(line.chunk, sizeof(line.chunk));
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
	encode();
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

/* The codec's mode for each head, by the line's rate, and by what of the CPU's time there was for coding since this was asked last. */
static void choose_modes(uint64_t now)
{
	uint64_t elapsed = now - line.chosen_ns, busy = line.pace.busy - line.chosen_busy;
	uint32_t rate = link_rate(&line.link), told = 4 * line.link.window;

	if (elapsed < LINE_CHOOSE_NS)
		return;
	busy = busy < elapsed ? busy * 1000 / elapsed : 1000;
	/*
	 * A host's window is a quarter of a second of its line. One that knows of a slow line is right: what is measured may be the buffers
	 * on the way to it.
	 */
	if (!rate || (rate > told && line.link.window < LINE_FAST_WINDOW))
		rate = told;
	dtx_choose(&line.tx, rate, (unsigned)(1000 - busy * (100 - line.pace.share) / 100), now);
	line.chosen_ns = now;
	line.chosen_busy = line.pace.busy;
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
	if (line.link.up && now >= line.next_frame_ns) {
		line.tx.echo = now < line.echo_until_ns;
		choose_modes(now);
		line_refresh();
		line.ready = false; /* something else may be more urgent now */
		line.next_frame_ns = now + (line.tx.echo ? LINE_ECHO_FRAME_NS : LINE_FRAME_NS);
	}
	line.text_ns = 0;
	send(idle);
	set_baud(now / 1000);
	uart_tx_interrupt(line.tx_state == TX_FIFO);
	plan_slice(idle, now);
	if (line.serial_stopped && (link_room(&line.link, LINK_SERIAL) > 64 || !line.link.up || !progressing(now))) {
		line.serial_stopped = false;
		pc_serial_ready(line.vm->pc);
	}
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

static bool to_code(void)
{
	return line.link.up && !line.ready && !dtx_idle(&line.tx, false);
}

bool line_wants_idle(void)
{
	return !line.pace.idle && to_code();
}

/* When there is time again to code, if something is to be coded. */
static uint64_t encode_deadline(uint64_t now)
{
	return to_code() ? pace_next(&line.pace, now) : UINT64_MAX;
}

uint64_t line_deadline(void)
{
	uint64_t now = time_ns(), next = tx_deadline(now), encoding = encode_deadline(now);

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
	while ((n = plain_take(out, sizeof(out))))
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
