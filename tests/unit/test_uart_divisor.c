/* Which rates a UART's clock is divided to, within 2 %: docs/serial-line.md has the same table. */
/* links: vmm/hw/uart_divisor.c stream/link.c stream/link_baud.c stream/link_rate.c stream/link_ring.c stream/link_rx.c stream/link_tx.c stream/cobs.c stream/crc32c.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "stream/link.h"
#include "vmm/hw/uart.h"

static void table(void **state)
{
	static const struct {
		uint32_t clock;
		const char *row;
	} rows[] = {
		{ 1843200, "115200" },
		{ 3686400, "115200 230400" },
		{ 7372800, "115200 230400 460800" },
		{ 14745600, "115200 230400 460800 921600" },
		{ 18432000, "115200 230400 576000 1152000" },
		{ 24000000, "115200 500000 1500000" },
		{ 33000000, "115200 230400" },
		{ 48000000, "115200 230400 500000 1000000 1500000 3000000" },
		{ 50000000, "115200" },
		{ 62500000, "115200 230400" },
		{ 64000000, "115200 500000 576000 1000000 2000000 4000000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char row[200] = "";
		size_t n = 0;

		if (uart_divisor(rows[i].clock, 115200))
			n += (size_t)snprintf(row, sizeof(row), "115200");
		for (unsigned k = 0; k < LINK_BAUDS; k++)
			if (uart_divisor(rows[i].clock, link_bauds[k]))
				n += (size_t)snprintf(row + n, sizeof(row) - n, " %u", link_bauds[k]);
		assert_string_equal(row, rows[i].row);
	}
}

static void limits(void **state)
{
	(void)state;
	assert_int_equal(uart_divisor(1843200, 115200), 1);
	assert_int_equal(uart_divisor(1843200, 50), 2304);
	assert_int_equal(uart_divisor(48000000, 3000000), 1);
	assert_int_equal(uart_divisor(48000000, 115200), 26); /* 0.16 % off */
	assert_int_equal(uart_divisor(0, 115200), 0);
	assert_int_equal(uart_divisor(1843200, 0), 0);
	assert_int_equal(uart_divisor(1843200, 1000000000), 0);
	assert_int_equal(uart_divisor(UINT32_MAX, 1), 0);
	assert_int_equal(uart_divisor(64000000, 61), 0); /* 65,574: more than 16 bits */
	assert_int_equal(uart_divisor(1600000, 101900), 1); /* 1.9 % off */
	assert_int_equal(uart_divisor(1600000, 102000), 0); /* 2 % */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(table), cmocka_unit_test(limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
