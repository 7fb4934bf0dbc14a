/* Interrupt wires between devices and the controllers. */
#ifndef DEVICES_IRQ_H
#define DEVICES_IRQ_H

#include <stdbool.h>

struct irq_line {
	void (*set)(void *chip, unsigned line, bool level); /* NULL: not connected */
	void *chip;
	unsigned line;
};

static inline void irq_set(const struct irq_line *l, bool level)
{
	if (l->set)
		l->set(l->chip, l->line, level);
}

#endif
