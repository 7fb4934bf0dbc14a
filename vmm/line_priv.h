/*
 * What the parts of the line share: line.c, the pump between UART and link; line_text.c, the log and the guest's COM1; line_picture.c,
 * when and how the heads are coded.
 */
#ifndef VMM_LINE_PRIV_H
#define VMM_LINE_PRIV_H

#include "stream/display.h"
#include "stream/link.h"
#include "stream/pace.h"
#include "vmm/line.h"

#define LINE_PLAIN (16u << 10) /* text that waits for a bare terminal */
#define LINE_TYPED 4096	       /* bytes for the guest's COM1 that it has not read; a power of two; what is more waits at the host */

struct line {
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
};

extern struct line line;

/* ---- line_text.c */

/** Takes at most cap bytes of the text for a bare terminal; returns how many. */
size_t line_plain_take(uint8_t *out, size_t cap);
/** Is given to log_set_sink. */
void line_log_out(const char *text, size_t len);
/** Is given to panic_set_writer: a panic's text, after a delimiter that ends whatever frame was on its way. */
void line_panic_out(const char *text, size_t len);
/** How many bytes the host may send for the guest's COM1. */
uint32_t line_serial_room(void);
/** Bytes for the guest's COM1. There is room: the link asked line_serial_room. */
void line_serial_in(const uint8_t *data, size_t len);
/** Lets the guest's transmitter go on, if it waits and need not wait any longer. now: time_ns(). */
void line_serial_go_on(uint64_t now);

/* ---- line_picture.c */

/** Codes until a datagram is complete, there is nothing to do, or this pump's time is over. */
void line_encode(void);
/** The next datagram, as link_ops.build and link_ops.answer say. */
size_t line_datagram(uint8_t *buf, struct dtx_cookie *cookie);
void line_datagram_answer(const struct dtx_cookie *cookie, bool ok);
/** Looks at the heads if it is time, and at how they are to be coded. */
void line_look(uint64_t now);
/** A host has come: all heads are sent to it from the beginning. */
void line_picture_begin(uint64_t now);
/** When there is time again to code, if something is to be coded; else UINT64_MAX. */
uint64_t line_encode_deadline(uint64_t now);

#endif
