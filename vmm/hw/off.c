/* The end of the machine. */
#include "vmm/hw/hw.h"
#include "vmm/hw/uart.h"
#include "vmm/hw/x86.h"

void machine_off(unsigned code)
{
	cli();
	uart_drain();
	outl(0xf4, code); /* QEMU isa-debug-exit: status (code << 1) | 1 */
	for (const char *p = "Shutdown"; *p; p++)
		outb(0x8900, (uint8_t)*p); /* Bochs: ends with status 1 */
	halt_forever();
}
