/* Keyboard and pointer events from the far end. */
#ifndef VMM_INPUT_H
#define VMM_INPUT_H

#include <stddef.h>
#include <stdint.h>

/** A message of the INPUT stream (untrusted, proto.h); arg: the struct vm. Those of a wrong length or an unknown type are ignored.
 */
void input_message(void *arg, uint8_t type, const uint8_t *body, size_t len);

#endif
