#include "devices/i8042.h"

#include <string.h>

enum { KEYBOARD, MOUSE };

/* Command byte. */
#define CTL_IRQ(port) (1u << (port))
#define CTL_SYSTEM 0x04u
#define CTL_DISABLE(port) (0x10u << (port))
#define CTL_TRANSLATE 0x40u

/* Status. */
#define ST_FULL 0x01u
#define ST_SYSTEM 0x04u
#define ST_COMMAND 0x08u
#define ST_UNLOCKED 0x10u
#define ST_AUX 0x20u

#define OUTPUT_RUN 0x01u
#define OUTPUT_A20 0x02u

#define ACK 0xfau
#define RESEND 0xfeu
#define SELF_TEST_PASSED 0xaau

/* ---- from the devices to the guest */

static void update(struct i8042 *k)
{
	for (unsigned p = 0; p < 2; p++)
		irq_set(&k->irq[p], k->full && k->aux == (p == MOUSE) && (k->control & CTL_IRQ(p)));
}

static void put_out(struct i8042 *k, uint8_t value, bool aux)
{
	k->out = value;
	k->aux = aux;
	k->full = true;
}

/* The next device byte, where the output buffer is empty and the device's clock is not held. */
static void fill(struct i8042 *k)
{
	for (unsigned p = 0; p < 2 && !k->full; p++) {
		struct ps2 *d = &k->port[p];

		if (!d->count || (k->control & CTL_DISABLE(p)))
			continue;
		put_out(k, d->byte[d->head], p == MOUSE);
		d->head = (d->head + 1) % PS2_QUEUE;
		d->count--;
	}
	update(k);
}

static bool queue(struct ps2 *d, const uint8_t *bytes, unsigned n)
{
	if (n > PS2_QUEUE - d->count)
		return false;
	for (unsigned i = 0; i < n; i++)
		d->byte[(d->head + d->count++) % PS2_QUEUE] = bytes[i];
	return true;
}

static void answer(struct ps2 *d, unsigned n, const uint8_t *bytes)
{
	(void)queue(d, bytes, n);
}

#define ANSWER(d, ...) answer(d, sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ })

/* ---- keyboard */

/* Set 2 by set 1 (IBM: "Scan Code Tables"). 0: no such key. Those with the prefix have the same codes as their twins without. */
static const uint8_t set2[0x60] = {
	/* 00 */ 0x00, 0x76, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66, 0x0d,
	/* 10 */ 0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x14, 0x1c, 0x1b,
	/* 20 */ 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5d, 0x1a, 0x22, 0x21, 0x2a,
	/* 30 */ 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7c, 0x11, 0x29, 0x58, 0x05, 0x06, 0x04, 0x0c, 0x03,
	/* 40 */ 0x0b, 0x83, 0x0a, 0x01, 0x09, 0x77, 0x7e, 0x6c, 0x75, 0x7d, 0x7b, 0x6b, 0x73, 0x74, 0x79, 0x69,
	/* 50 */ 0x72, 0x7a, 0x70, 0x71, 0x7f, 0x60, 0x61, 0x78, 0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f,
};

void i8042_key(struct i8042 *k, bool down, uint16_t code)
{
	struct ps2 *d = &k->port[KEYBOARD];
	uint8_t key = (uint8_t)code, bytes[3];
	unsigned n = 0;

	if (!d->enabled || key >= sizeof(set2) || !set2[key] || (code >> 8 && code >> 8 != 0xe0))
		return;
	if (code >> 8)
		bytes[n++] = 0xe0;
	if (k->scan_set == 1 || (k->control & CTL_TRANSLATE)) {
		bytes[n++] = key | (down ? 0 : 0x80);
	} else {
		if (!down)
			bytes[n++] = 0xf0;
		bytes[n++] = set2[key];
	}
	(void)queue(d, bytes, n);
	fill(k);
}

static void keyboard_defaults(struct i8042 *k)
{
	k->scan_set = 2;
	k->port[KEYBOARD].enabled = true;
}

static void keyboard_parameter(struct i8042 *k, uint8_t command, uint8_t value)
{
	struct ps2 *d = &k->port[KEYBOARD];

	if (command == 0xf0 && value == 0) {
		ANSWER(d, ACK, k->scan_set);
		return;
	}
	if (command == 0xf0 && (value == 1 || value == 2))
		k->scan_set = value;
	/* set 3 does not exist here; LEDs and the typing rate are the far end's */
	ANSWER(d, command == 0xf0 && value > 2 ? RESEND : ACK);
}

static void keyboard_command(struct i8042 *k, uint8_t value)
{
	struct ps2 *d = &k->port[KEYBOARD];
	uint8_t pending = d->command;

	d->command = 0;
	if (pending) {
		keyboard_parameter(k, pending, value);
		return;
	}
	switch (value) {
	case 0xed: /* LEDs */
	case 0xf0: /* scan code set */
	case 0xf3: /* typing rate */
		d->command = value;
		ANSWER(d, ACK);
		break;
	case 0xee: ANSWER(d, 0xee); break;
	case 0xf2: ANSWER(d, ACK, 0xab, k->control & CTL_TRANSLATE ? 0x41 : 0x83); break;
	case 0xf4:
	case 0xf5:
	case 0xf6:
		keyboard_defaults(k);
		d->enabled = value != 0xf5;
		ANSWER(d, ACK);
		break;
	case 0xff:
		keyboard_defaults(k);
		d->count = 0;
		ANSWER(d, ACK, SELF_TEST_PASSED);
		break;
	default: ANSWER(d, RESEND); break;
	}
}

/* ---- mouse */

static int32_t clamp(int32_t v, int32_t limit)
{
	return v < -limit ? -limit : v > limit ? limit : v;
}

/* One packet of what has added up; what does not fit into it stays. */
static void mouse_packet(struct i8042 *k)
{
	int32_t dx = clamp(k->dx, 255), dy = clamp(k->dy, 255), dz = clamp(k->dz, 7);
	uint8_t bytes[4] = { (uint8_t)(0x08 | k->buttons | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)), (uint8_t)dx, (uint8_t)dy,
			     (uint8_t)dz };

	if (!queue(&k->port[MOUSE], bytes, k->wheel ? 4 : 3))
		return;
	k->dx -= dx;
	k->dy -= dy;
	k->dz -= dz;
	k->sent_buttons = k->buttons;
}

/* A report when there is news and the last one is on its way: so a slow guest gets few and large ones. */
static void mouse_report(struct i8042 *k)
{
	bool news = k->dx || k->dy || (k->wheel && k->dz) || k->buttons != k->sent_buttons;

	if (news && k->port[MOUSE].enabled && !k->remote && k->port[MOUSE].count == 0)
		mouse_packet(k);
	fill(k);
}

void i8042_pointer(struct i8042 *k, uint16_t x, uint16_t y, uint8_t buttons, int8_t wheel)
{
	if (k->placed) {
		k->dx = clamp(k->dx + x - k->x, 1 << 16);
		k->dy = clamp(k->dy - (y - k->y), 1 << 16); /* up is positive */
	}
	k->placed = true;
	k->x = x;
	k->y = y;
	k->dz = clamp(k->dz + wheel, 1 << 10);
	k->buttons = buttons & 7;
	mouse_report(k);
}

static void mouse_defaults(struct i8042 *k)
{
	k->rate = 100;
	k->resolution = 2;
	k->remote = k->scaling = k->port[MOUSE].enabled = false;
	k->dx = k->dy = k->dz = 0;
}

/* The knock that turns a wheel on: rates 200, 100, 80. */
static void mouse_parameter(struct i8042 *k, uint8_t command, uint8_t value)
{
	if (command == 0xf3) {
		k->wheel |= k->rates_seen[0] == 200 && k->rates_seen[1] == 100 && value == 80;
		k->rates_seen[0] = k->rates_seen[1];
		k->rates_seen[1] = k->rate = value;
	} else {
		k->resolution = value & 3;
	}
	ANSWER(&k->port[MOUSE], ACK);
}

static void mouse_status(struct i8042 *k)
{
	struct ps2 *d = &k->port[MOUSE];
	uint8_t left = k->buttons & 1, right = k->buttons >> 1 & 1, middle = k->buttons >> 2 & 1;

	ANSWER(d, ACK, (uint8_t)(right | middle << 1 | left << 2 | k->scaling << 4 | d->enabled << 5 | k->remote << 6),
	       k->resolution, k->rate);
}

static void mouse_command(struct i8042 *k, uint8_t value)
{
	struct ps2 *d = &k->port[MOUSE];
	uint8_t pending = d->command;

	d->command = 0;
	if (pending) {
		mouse_parameter(k, pending, value);
		return;
	}
	switch (value) {
	case 0xe6:
	case 0xe7: k->scaling = value == 0xe7; break;
	case 0xe8:
	case 0xf3: d->command = value; break;
	case 0xe9: mouse_status(k); return;
	case 0xea:
	case 0xf0: k->remote = value == 0xf0; break;
	case 0xeb:
		ANSWER(d, ACK);
		mouse_packet(k);
		return;
	case 0xf2: ANSWER(d, ACK, k->wheel ? 3 : 0); return;
	case 0xf4: /* with its counters at 0 */
	case 0xf5:
		d->enabled = value == 0xf4;
		k->dx = k->dy = k->dz = 0;
		break;
	case 0xf6: mouse_defaults(k); break;
	case 0xff:
		mouse_defaults(k);
		k->wheel = false;
		d->count = 0;
		ANSWER(d, ACK, SELF_TEST_PASSED, 0);
		return;
	default: ANSWER(d, RESEND); return;
	}
	ANSWER(d, ACK);
}

/* ---- the controller */

static void output_port(struct i8042 *k, uint8_t value)
{
	if (!(value & OUTPUT_RUN))
		k->reset(k->arg);
}

static void command_byte(struct i8042 *k, uint8_t command, uint8_t value)
{
	switch (command) {
	case 0x60: k->control = value & 0x7f; break;
	case 0xd1: output_port(k, value); break;
	case 0xd2:
	case 0xd3: put_out(k, value, command == 0xd3); break;
	case 0xd4:
		k->control &= ~CTL_DISABLE(MOUSE);
		mouse_command(k, value);
		break;
	default: break;
	}
}

static void data_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct i8042 *k = dev;
	uint8_t command = k->command;

	(void)addr, (void)size;
	k->command = 0;
	if (command) {
		command_byte(k, command, (uint8_t)value);
	} else {
		k->control &= ~CTL_DISABLE(KEYBOARD); /* a byte for the keyboard starts its clock */
		keyboard_command(k, (uint8_t)value);
	}
	fill(k);
}

static uint64_t data_read(void *dev, uint64_t addr, unsigned size)
{
	struct i8042 *k = dev;
	uint8_t value = k->out;

	(void)addr, (void)size;
	if (k->full) {
		k->full = false;
		update(k); /* down before the next byte raises it: an edge for each */
		mouse_report(k);
	}
	return value;
}

static void command_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct i8042 *k = dev;

	(void)addr, (void)size;
	k->command = 0;
	switch (value) {
	case 0x20: put_out(k, k->control, false); break;
	case 0x60:
	case 0xd1:
	case 0xd2:
	case 0xd3:
	case 0xd4: k->command = (uint8_t)value; break;
	case 0xa7: k->control |= CTL_DISABLE(MOUSE); break;
	case 0xa8: k->control &= ~CTL_DISABLE(MOUSE); break;
	case 0xa9:
	case 0xab: put_out(k, 0, false); break; /* the lines are well */
	case 0xaa:
		k->control |= CTL_SYSTEM;
		put_out(k, 0x55, false);
		break;
	case 0xad: k->control |= CTL_DISABLE(KEYBOARD); break;
	case 0xae: k->control &= ~CTL_DISABLE(KEYBOARD); break;
	case 0xc0: put_out(k, 0x80, false); break; /* not locked */
	case 0xd0: put_out(k, OUTPUT_RUN | OUTPUT_A20, false); break;
	default:
		if ((value & 0xf0) == 0xf0) /* pulses the lines whose bits are 0 */
			output_port(k, (uint8_t)value);
		break;
	}
	fill(k);
}

static uint64_t status_read(void *dev, uint64_t addr, unsigned size)
{
	const struct i8042 *k = dev;

	(void)addr, (void)size;
	return (k->full ? ST_FULL | (k->aux ? ST_AUX : 0) : 0) | (k->control & CTL_SYSTEM ? ST_SYSTEM : 0) |
	       (k->command ? ST_COMMAND : 0) | ST_UNLOCKED;
}

const struct bus_ops i8042_data_ops = { .name = "8042 data", .read = data_read, .write = data_write, .access_max = 1 };
const struct bus_ops i8042_command_ops = { .name = "8042 command", .read = status_read, .write = command_write, .access_max = 1 };

void i8042_reset(struct i8042 *k)
{
	memset(k->port, 0, sizeof(k->port));
	k->control = CTL_SYSTEM | CTL_TRANSLATE;
	k->command = k->out = k->rates_seen[0] = k->rates_seen[1] = 0;
	k->full = k->aux = k->wheel = k->placed = false;
	k->buttons = k->sent_buttons = 0;
	keyboard_defaults(k);
	mouse_defaults(k);
	update(k);
}

void i8042_init(struct i8042 *k, struct irq_line keyboard, struct irq_line mouse, void (*reset)(void *arg), void *arg)
{
	*k = (struct i8042){ .irq = { keyboard, mouse }, .reset = reset, .arg = arg };
	i8042_reset(k);
}
