/* Between the UART's driver and the other files of vmm/hw. */
#ifndef VMM_HW_UART_H
#define VMM_HW_UART_H

#include <stdbool.h>

/** The interrupt handler's part: masks the UART's sources until the owner has read or written. */
void uart_interrupt(void);

/** Opens the sources again that uart_interrupt masked, or that uart_init left shut. */
void uart_unmask(void);

/** Waits, with a bound, until the last bit is on the wire. */
void uart_drain(void);

#endif
