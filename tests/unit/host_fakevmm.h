/* A VMM as the host sees it, without a machine: the real link and display sender on one end of a socket, in a process of its own.
 */
#ifndef TEST_HOST_FAKEVMM_H
#define TEST_HOST_FAKEVMM_H

#include <stdint.h>
#include <sys/types.h>

#define FAKE_WIDTH 200
#define FAKE_HEIGHT 100
#define FAKE_STEPS 4

/* What it does after it painted FAKE_STEPS pictures, with a MSG_SHOT for each. */
enum fake_end {
	FAKE_DEBUG_EXIT, /* the guest ends with 21 */
	FAKE_CRASH,	 /* MSG_PARKED, then END_CRASH */
	FAKE_PANIC,	 /* a panic in the log, and the line closes */
	FAKE_HANG_UP,	 /* the line closes */
	FAKE_STAY,	 /* runs on: echoes serial input, until told to quit */
	FAKE_MALFORMED,	 /* a control message of length 0 */
	FAKE_TAKEN,	 /* another host has the line, and keeps it */
	FAKE_LEFT,	 /* another host has the line for a second */
	FAKE_DEAF,	 /* text before a session, and never an answer to HELLO; then closes */
};

/** Starts it. *fd: the host's end. Returns its pid. */
pid_t fake_vmm(enum fake_end end, int *fd);

/** CRC-32 of the picture that head shows after step (0 to FAKE_STEPS-1). */
uint32_t fake_crc(unsigned head, unsigned step);

#endif
