/* Integer sine, cosine and square root. */
#ifndef DEMO_TRIG_H
#define DEMO_TRIG_H

#include <stdint.h>

#define TRIG_TURN 1024 /* angle units in a full turn; a power of two */
#define TRIG_ONE 16384 /* sine of a right angle */

/** Sets up the table; call once. */
void trig_init(void);
int32_t sine(int32_t angle);
int32_t cosine(int32_t angle);
/** The integer part of the root. */
uint32_t isqrt(uint64_t v);

#endif
