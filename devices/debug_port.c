#include "devices/debug_port.h"

#define LISTENING 0xe9u

static void flush(struct debug_port *d)
{
	d->text[d->len] = '\0';
	d->len = 0;
	d->line(d->arg, d->text);
}

static uint64_t debug_port_read(void *dev, uint64_t addr, unsigned size)
{
	(void)dev, (void)addr, (void)size;
	return LISTENING;
}

static void debug_port_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct debug_port *d = dev;
	char c = (char)value;

	(void)addr, (void)size;
	if (c == '\n') {
		flush(d);
		return;
	}
	if (c == '\r')
		return;
	d->text[d->len++] = (c >= ' ' && c <= '~') || c == '\t' ? c : '?';
	if (d->len == DEBUG_PORT_LINE - 1)
		flush(d);
}

const struct bus_ops debug_port_ops = { .name = "debug port", .read = debug_port_read, .write = debug_port_write, .access_max = 1 };

void debug_port_init(struct debug_port *d, void (*line)(void *arg, const char *text), void *arg)
{
	*d = (struct debug_port){ .line = line, .arg = arg };
}

void debug_port_reset(struct debug_port *d)
{
	if (d->len)
		flush(d);
}
