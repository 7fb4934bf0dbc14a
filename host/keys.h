/* X keysyms (what RFB clients send) to the set-1 scancodes of a US keyboard. */
#ifndef HOST_KEYS_H
#define HOST_KEYS_H

#include <stdbool.h>
#include <stdint.h>

/** Set-1 make code of a keysym, 0xe0xx for the extended keys; 0 for one that such a keyboard does not have. */
uint16_t keys_scancode(uint32_t keysym);

/** True for a character that this keyboard has on a key together with Shift. */
bool keys_shifted(uint32_t keysym);

#endif
