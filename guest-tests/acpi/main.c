/*
 * What firmware leaves, and ACPI's hardware: tables found by scanning, the PM timer, the SCI, hot-plug registers in hostile hands,
 * fw_cfg's DMA. Ends the run by power-off.
 */
#include "guest-tests/acpi/acpi.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/print.h"

int main(void);

int main(void)
{
	static const struct test tests[] = {
		{ "acpi-rsdp", test_rsdp },
		{ "acpi-tables", test_tables },
		{ "acpi-map", test_map },
		{ "acpi-smbios", test_smbios },
		{ "acpi-fw-cfg", test_fw_cfg },
		{ "acpi-dma", test_dma },
		{ "acpi-dma-vram", test_dma_vram },
		{ "acpi-timer", test_timer },
		{ "acpi-sci", test_sci },
		{ "acpi-events", test_events },
		{ "acpi-hotplug-hostile", test_hotplug_hostile },
		{ "acpi-eject", test_eject },
		{ 0 },
	};
	const char *why;

	guest_init();
	why = heads_find();
	if (!check(!why && heads_shadow(), "heads", why ? why : "no memory"))
		return 1;
	tests_run(tests);
	if (tests_failed())
		return 1;
	power_off();
	check(false, "acpi-off", "the guest goes on");
	return 1;
}
