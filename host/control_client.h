/* One connection to the control socket: its request, what it waits for, and its answer. */
#ifndef HOST_CONTROL_CLIENT_H
#define HOST_CONTROL_CLIENT_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/control.h"
#include "host/pollset.h"

#define CONTROL_CLIENTS 16

enum wait_kind { WAIT_NOTHING, WAIT_CRC, WAIT_STILL, WAIT_TEXT };

struct control_client {
	int fd; /* -1: none */
	struct control_env *env;
	char line[CONTROL_LINE_MAX];
	size_t len;
	bool json;
	bool asked;	  /* the request is there */
	bool at_vmm;	  /* the VMM's reply is awaited; it comes even if the client goes */
	bool wants_stats; /* and is to be put beside our own counters */
	struct text out;  /* the answer, sent up to `sent` */
	size_t sent;
	bool answered;
	/* wait */
	enum wait_kind wait;
	uint64_t wait_until_us, wait_look_us;
	unsigned wait_head;
	uint32_t wait_crc, wait_seen;
	uint64_t wait_still_us, wait_text_from;
	bool wait_looked;
	regex_t wait_regex;
};

bool control_client_free(const struct control_client *c);
void control_client_begin(struct control_client *c, int fd, struct control_env *env);
void control_client_prepare(struct control_client *c, struct pollset *p);
void control_client_pump(struct control_client *c, const struct pollset *p);
void control_client_close(struct control_client *c);

/* control_wait.c: the `wait` request. args: what stands behind the word. */

/** Begins to wait, or answers with an error. */
void control_wait_begin(struct control_client *c, const char *args);

/** Looks whether it is so now. Answers when it is, or when time is up. */
void control_wait_look(struct control_client *c);

/** When to look next. */
uint64_t control_wait_deadline(const struct control_client *c);
void control_wait_end(struct control_client *c);

/** Answers: status is "ok", "error" or "timeout". */
void control_answer(struct control_client *c, const char *status, const char *text, size_t len);
void control_answerf(struct control_client *c, const char *status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** What a negative errno of the session means to the user. */
const char *control_reason(int result);

#endif
