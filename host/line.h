/*
 * The near end of the serial line: a descriptor (socket or tty) and the link's bytes going through it, with injected faults and a
 * speed limit where the device itself has none.
 */
#ifndef HOST_LINE_H
#define HOST_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/faults.h"
#include "host/pollset.h"
#include "stream/link.h"

struct line {
	int fd;			      /* -1: not open (any more) */
	bool at_end;		      /* the far end closed it */
	int error;		      /* errno of what ended it, or 0 */
	uint32_t rate;		      /* bytes a second each way, 0: no limit of ours */
	uint64_t start_us, budget_us; /* rx_budget and tx_budget count from budget_us on */
	double rx_budget, tx_budget;
	struct faults rx_faults, tx_faults;
	uint8_t out[2 * LINK_LINE_MAX];
	size_t out_len, out_pos;
	uint64_t rx_us;		     /* when something last came */
	uint64_t rx_bytes, tx_bytes; /* as the device saw them */
};

/** Takes over an open descriptor. rate: see above; 0 where the device limits itself. */
void line_init(struct line *l, int fd, uint32_t rate, const struct fault_rates *faults);
void line_close(struct line *l);

/**
 * Opens what `tessera view` names: a tty (8N1, raw, at baud, 115200 for 0), unix:PATH, tcp:HOST:PORT, or fd:N, a
 * socket that the caller left open.
 * Returns a descriptor, or -1 having said why.
 */
int line_open(const char *device, uint32_t baud);

/**
 * Which of link_bauds a tty can be set to, a bit each: those that its driver takes, above baud and up to most. It is left at baud.
 * Only before anything is sent.
 */
uint32_t line_bauds(int fd, uint32_t baud, uint32_t most);

/** Sets a tty's rate when all that was written is out. Returns 0 or a negative errno. */
int line_set_baud(int fd, uint32_t baud);

/** True for unix: and tcp: devices, which have no speed of their own. */
bool line_is_socket(const char *device);

/** Asks the link for bytes and tells the loop what to wait for. hold: read nothing now. */
void line_prepare(struct line *l, struct link *link, struct pollset *p, bool hold);

/** After the wait: moves bytes both ways. */
void line_pump(struct line *l, struct link *link, const struct pollset *p);

/** Writes what the link still has to say, for at most limit_us. */
void line_flush(struct line *l, struct link *link, uint64_t limit_us);

#endif
