#ifndef GUEST_APIC_MINUTE_H
#define GUEST_APIC_MINUTE_H

/** Prints a line, waits so many seconds of the real-time clock, and prints how many milliseconds each clock says that were. */
void minute(unsigned seconds);

#endif
