#include "vmm/hw/uart.h"

#define OVERSAMPLING 16u  /* PC16550D, section 8.3: the divisor gives 16 times the rate */
#define ERROR_DIVISOR 50u /* 2 %: together with the far end's error a frame's last bit is sampled where it still is */

uint32_t uart_divisor(uint32_t clock, uint32_t baud)
{
	uint64_t sixteenth = (uint64_t)baud * OVERSAMPLING, divisor, is;

	if (!baud)
		return 0;
	divisor = (clock + sixteenth / 2) / sixteenth;
	if (!divisor || divisor > 0xffff)
		return 0;
	is = sixteenth * divisor;
	return (is > clock ? is - clock : clock - is) * ERROR_DIVISOR >= clock ? 0 : (uint32_t)divisor;
}
