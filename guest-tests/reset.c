/*
 * Registers that power-on and reset set, and the boot loader leaves alone (Intel SDM vol. 3, table 10-1): checks them, then fills
 * them. With the argument `wait` it goes on when a byte comes on COM1, so that `tessera ctl reset` can make it check once more.
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/print.h"

#define DR6_INIT 0xffff0ff0ull
#define DR7_INIT 0x400ull
#define PAT_INIT 0x0007040600070406ull
#define FILL 0x7ffe0ull /* valid in each of them */

int main(void);

#define REGISTER(name, init, fill)                                                                                                 \
	{                                                                                                                          \
#name, read_##name, write_##name, init, fill                                                                       \
	}

static const struct {
	const char *name;
	uint64_t (*read)(void);
	void (*write)(uint64_t v);
	uint64_t init, fill;
} registers[] = {
	REGISTER(cr2, 0, FILL),
	REGISTER(cr8, 0, 9),
	REGISTER(dr0, 0, FILL),
	REGISTER(dr1, 0, FILL),
	REGISTER(dr2, 0, FILL),
	REGISTER(dr3, 0, FILL),
	REGISTER(dr6, DR6_INIT, DR6_INIT | 0x600f),
	REGISTER(dr7, DR7_INIT, DR7_INIT | 0x100),
};

static const struct {
	const char *name;
	uint32_t msr;
	uint64_t init, fill;
} msrs[] = {
	{ "SYSENTER_CS", MSR_SYSENTER_CS, 0, 0x20 },
	{ "SYSENTER_ESP", MSR_SYSENTER_ESP, 0, FILL },
	{ "SYSENTER_EIP", MSR_SYSENTER_EIP, 0, FILL },
	{ "PAT", MSR_PAT, PAT_INIT, PAT_INIT ^ 1ull << 56 },
	{ "STAR", MSR_STAR, 0, FILL },
	{ "LSTAR", MSR_LSTAR, 0, FILL },
	{ "FMASK", MSR_FMASK, 0, 0x200 },
	{ "KERNEL_GS_BASE", MSR_KERNEL_GS_BASE, 0, FILL },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_initial(void)
{
	for (unsigned i = 0; i < COUNT(registers); i++)
		expect_eq(registers[i].name, registers[i].read(), registers[i].init);
	for (unsigned i = 0; i < COUNT(msrs); i++)
		expect_eq(msrs[i].name, rdmsr(msrs[i].msr), msrs[i].init);
}

static void test_fill(void)
{
	for (unsigned i = 0; i < COUNT(registers); i++) {
		registers[i].write(registers[i].fill);
		expect_eq(registers[i].name, registers[i].read(), registers[i].fill);
	}
	for (unsigned i = 0; i < COUNT(msrs); i++) {
		wrmsr(msrs[i].msr, msrs[i].fill);
		expect_eq(msrs[i].name, rdmsr(msrs[i].msr), msrs[i].fill);
	}
}

static const struct test tests[] = {
	{ "reset-initial", test_initial },
	{ "reset-fill", test_fill },
	{ 0 },
};

int main(void)
{
	guest_init();
	tests_run(tests);
	print("ready\n");
	if (boot_option("wait"))
		console_wait();
	return tests_failed() ? 1 : 0;
}
