/* Between the UART's driver and the other files of vmm/hw. */
#ifndef VMM_HW_UART_H
#define VMM_HW_UART_H

#include <stdbool.h>
#include <stdint.h>

/** The interrupt handler's part: masks the UART's sources until the owner has read or written. */
void uart_interrupt(void);

/** Opens the sources again that uart_interrupt masked, or that uart_init left shut. */
void uart_unmask(void);

/** The divisor by which a 16550 whose clock has so many Hz gets that rate, or 0: none within 2 %. */
uint32_t uart_divisor(uint32_t clock, uint32_t baud);

/** Waits, with a bound, until the last bit is on the wire. */
void uart_drain(void);

#endif
