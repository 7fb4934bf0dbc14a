/* A monitor's description of itself (VESA E-EDID 1.4): one block, made for a head's name and preferred size. */
#ifndef DEVICES_EDID_H
#define DEVICES_EDID_H

#include <stdint.h>

#define EDID_BYTES 128u

/**
 * Fills in a block: digital monitor, "Tessera N", preferred timing width x height at 60 Hz with reduced blanking (VESA CVT 1.2),
 * and the common smaller sizes as established and standard timings. Sizes past a detailed timing's 4,095 pixels are clipped to it.
 * @number  tells the heads apart: in the name and the serial number
 */
void edid_make(uint8_t edid[EDID_BYTES], unsigned number, unsigned width, unsigned height);

#endif
