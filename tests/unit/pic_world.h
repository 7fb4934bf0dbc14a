/* An 8259 pair on a bus of its own, for the tests. */
#ifndef TESTS_UNIT_PIC_WORLD_H
#define TESTS_UNIT_PIC_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/pic8259.h"

extern struct pic8259 pic;
extern unsigned intr_calls, acked_mask; /* changes of INTR; requests that were accepted, by bit */
extern int last_acked;

/** Makes the pair as firmware leaves it, and clears the counts. */
void make(void);
/** Port accesses of one byte. */
void out(uint16_t port, uint8_t v);
uint8_t in(uint16_t port);
/** ICW1 to ICW4 as every PC operating system writes them: vectors 0x20 and 0x28. */
void init_chips(uint8_t icw4_master, uint8_t icw4_slave);
/** Sets an input. */
void set(unsigned irq, bool level);
/** Read the registers of the chip at port. */
uint8_t isr(uint16_t port);
uint8_t irr(uint16_t port);

#endif
