/*
 * The line: joins the link (stream/) with the UART, the heads, the guest's COM1, the VMM's log and the host's requests. All of it
 * is non-blocking; line_pump does a bounded piece of work.
 */
#ifndef VMM_LINE_H
#define VMM_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/proto.h"

struct vm;

#define LINE_FRAME_NS 16000000ull /* heads are looked at this often while somebody watches */

/**
 * Takes the log over from the plain UART and starts to listen. Works without a guest (vm NULL until line_attach).
 * baud: the UART's rate, where sessions begin. share: what encoding may take of a busy guest's time, in percent.
 * Returns 0 or -ENOMEM.
 */
int line_init(uint32_t baud, unsigned share);

/** The guest whose heads and COM1 the line carries from now on. */
void line_attach(struct vm *vm);

/** Moves bytes both ways, looks at the heads when it is time. idle: nothing else has work, so the slice may be larger. */
void line_pump(bool idle);

/** There is something to code, which the guest's time was too dear for until now: a pump with idle set does it. */
bool line_wants_idle(void);

/** When line_pump wants to be called at the latest, in time_ns(); UINT64_MAX: when an interrupt comes. */
uint64_t line_deadline(void);

/** A host is attached. */
bool line_up(void);

/** Asks the tracker now for all heads, so that what was written so far will be sent. */
void line_refresh(void);

/** Takes head n's card out of the guest and its picture off the line (heads_unplug). */
void line_unplug_head(unsigned n);

/** All that was there at the last refresh has arrived: pictures, texts, messages. True too when no host is attached. */
bool line_settled(void);

/** A byte of the guest's COM1; false: no room, try again after line_serial_ready was called back through pc_serial_ready. */
bool line_serial_out(uint8_t byte);

/** The guest's COM1 takes bytes again: gives it those that wait. */
void line_serial_drained(void);

/** Sends a control message. */
void line_message(enum proto_type type, const void *body, size_t len);

/** Ends the session in order and waits, with a bound, until the bytes are out. */
void line_close(void);

/** Appends the line's counters as JSON members to buf; returns the length that would be needed, as snprintf. */
size_t line_stats(char *buf, size_t size);

#endif
