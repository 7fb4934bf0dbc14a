/* What the host asks on the CONTROL stream, and the guest's hypercalls that need the stream. */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <stddef.h>
#include <stdint.h>

struct vm;

/** A message from the host (untrusted); arg: struct vm, or NULL while there is no guest. */
void control_message(void *arg, uint8_t type, const uint8_t *body, size_t len);

/** Answers request id: 0 and a JSON text, or a negative errno and a sentence. */
void control_reply(uint32_t id, int result, const char *text);

/** Tells the host how the guest's run ended. */
void control_announce_end(struct vm *vm);

#endif
