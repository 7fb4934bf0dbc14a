/*
 * Two 8259A interrupt controllers, cascaded as in a PC: the second one's INT is input 2 of the first (Intel 8259A datasheet,
 * 231468). Edge or level sensing is chosen input by input through ELCR (0x4d0, 0x4d1), as PC chipsets do; ICW1's LTIM is ignored.
 *
 * As the datasheet says, a request must stay until it is acknowledged: an edge-triggered one that falls earlier is withdrawn, and
 * an acknowledge with no request left gives level 7 without setting its in-service bit. 8085 mode behaves as 8086 mode.
 */
#ifndef DEVICES_PIC8259_H
#define DEVICES_PIC8259_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"

struct pic8259;

struct pic8259_chip {
	struct pic8259 *pic;
	uint8_t lines;	   /* levels of the inputs */
	uint8_t latch;	   /* edges seen and not yet acknowledged */
	uint8_t elcr;	   /* 1: level-triggered */
	uint8_t elcr_mask; /* bits of ELCR that can be set */
	uint8_t imr, isr;
	uint8_t base;	/* vector of level 0 */
	uint8_t lowest; /* the level with the lowest priority */
	uint8_t icw3;
	uint8_t expect; /* which ICW the next write to the odd port is: 2, 3, 4; 0: it is OCW1 */
	bool single;	/* ICW1.SNGL: no ICW3 */
	bool need_icw4; /* ICW1.IC4 */
	bool auto_eoi, rotate_auto_eoi, special_mask, special_nested;
	bool read_isr, poll;
};

struct pic8259 {
	struct pic8259_chip chip[2];
	bool level;				/* INTR */
	void (*intr)(void *arg, bool level);	/* INTR changed */
	void (*acked)(void *arg, unsigned irq); /* request irq (0..15) was accepted, by the CPU or by a poll */
	void *arg;
};

extern const struct bus_ops pic8259_chip_ops; /* two ports: dev is &pic->chip[n] */
extern const struct bus_ops pic8259_elcr_ops; /* two ports: dev is the pic */

/** Sets callbacks and the power-on state. */
void pic8259_init(struct pic8259 *p, void (*intr)(void *arg, bool level), void (*acked)(void *arg, unsigned irq), void *arg);
/**
 * The state in which PC firmware leaves the pair: vectors 0x08 and 0x70, everything masked, nothing pending. The levels of the
 * inputs belong to the devices and stay.
 */
void pic8259_reset(struct pic8259 *p);
/** Sets input irq (0..15) to level: an irq_line's set function. Input 2 is the cascade's and cannot be set. */
void pic8259_set(void *pic, unsigned irq, bool level);
/** Interrupt acknowledge cycle. Returns the vector, a spurious one (level 7) where no request is left. */
uint8_t pic8259_ack(struct pic8259 *p);
/** True when requests of irq cannot reach the CPU because a mask bit is set, its own or the cascade's. */
bool pic8259_masked(const struct pic8259 *p, unsigned irq);

#endif
