/* The PC's interrupt controllers and timer: 8259A pair and 8254 (Intel's data sheets). */
#ifndef GUEST_PIC_H
#define GUEST_PIC_H

#include <stdbool.h>
#include <stdint.h>

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA 0xa1
#define PIT_CHANNEL0 0x40
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_HZ 1193182u

/** Both 8259s: vectors from VEC_IRQ, all lines masked, nothing in service. */
void pic_init(void);
/** Sets which lines are let through: a 1 bit masks. */
void pic_mask(uint16_t mask);
/** Ends the service of a line (non-specific EOI). */
void pic_eoi(unsigned irq);
/** The request and in-service registers of both (OCW3). */
uint16_t pic_requests(void);
uint16_t pic_in_service(void);

/** Channel 0 as a rate generator (mode 2) with IRQ 0 unmasked; ticks are counted. */
void timer_start(unsigned hz);
/** Ticks since timer_start. */
uint64_t timer_ticks(void);
/** Masks IRQ 0. */
void timer_stop(void);

#endif
