/* VMCALL and VMMCALL: Tessera's hypercalls. */
#include "guest-tests/exits/exits.h"

#define RESULT(x) ((uint64_t)(int64_t)(x))

static bool under_tessera(void)
{
	if (!hyper_present())
		skip("not under Tessera");
	return hyper_present();
}

static void around_hypercall(struct regs *r)
{
	if (hyper_is_vmcall())
		around_vmcall(r);
	else
		around_vmmcall(r);
}

static void test_calls(void)
{
	int64_t n;
	struct hc_head info;

	if (!under_tessera())
		return;
	expect_eq("HC_GET_VERSION", RESULT(hypercall(HC_GET_VERSION, 0, 0)), HC_VERSION);
	n = hypercall(HC_HEAD_COUNT, 0, 0);
	expect(n >= 0 && n <= HEADS_MAX, "HC_HEAD_COUNT is %ld", n);
	for (int64_t i = 0; i < n; i++) {
		memset(&info, 0, sizeof(info));
		expect_eq("HC_HEAD_INFO", RESULT(hypercall(HC_HEAD_INFO, (uint64_t)i, (uint64_t)&info)), 0);
		expect(info.gpa && info.width && info.height && info.size, "head %ld is %u x %u", i, info.width, info.height);
	}
}

static void test_errors(void)
{
	struct hc_head info;
	uint64_t n;

	if (!under_tessera())
		return;
	n = (uint64_t)hypercall(HC_HEAD_COUNT, 0, 0);
	expect_eq("an unknown number", RESULT(hypercall(HC_BASE + 0xff, 0, 0)), RESULT(-HYPER_ENOSYS));
	expect_eq("number 0", RESULT(hypercall(0, 0, 0)), RESULT(-HYPER_ENOSYS));
	expect_eq("a head too many", RESULT(hypercall(HC_HEAD_INFO, n, (uint64_t)&info)), RESULT(-HYPER_ENOENT));
	expect_eq("head ~0", RESULT(hypercall(HC_HEAD_INFO, ~0ull, (uint64_t)&info)), RESULT(-HYPER_ENOENT));
	expect_eq("head 2^32", RESULT(hypercall(HC_HEAD_INFO, 1ull << 32, (uint64_t)&info)), RESULT(-HYPER_ENOENT));
	if (!n)
		return;
	expect_eq("a pointer to nothing", RESULT(hypercall(HC_HEAD_INFO, 0, UNBACKED)), RESULT(-HYPER_EFAULT));
	expect_eq("a pointer that wraps", RESULT(hypercall(HC_HEAD_INFO, 0, ~0ull - 3)), RESULT(-HYPER_EFAULT));
	expect_eq("a pointer beyond memory", RESULT(hypercall(HC_HEAD_INFO, 0, 1ull << 51)), RESULT(-HYPER_EFAULT));
}

/* Only RAX changes; the number is in EAX, so RAX's upper half must not matter. */
static void test_registers(void)
{
	struct regs before, r;

	if (!under_tessera())
		return;
	for (unsigned i = 0; i < 100; i++) {
		regs_random(&before);
		before.rax = (before.rax & ~0xffffffffull) | HC_GET_VERSION;
		r = before;
		around_hypercall(&r);
		expect_regs("a hypercall", &r, &before, REG_RAX);
		expect_eq("RAX", r.rax, HC_VERSION);
	}
}

static void test_other_vendor(void)
{
	if (!under_tessera())
		return;
	if (hyper_is_vmcall())
		expect_trap("VMMCALL on VMX", TRY("vmmcall"), VEC_UD);
	else
		expect_trap("VMCALL on SVM", TRY("vmcall"), VEC_UD);
}

static uint64_t user_vmcall(uint64_t n)
{
	__asm__ volatile("vmcall" : "+a"(n)::"rbx", "rcx", "memory");
	return n;
}

static uint64_t user_vmmcall(uint64_t n)
{
	__asm__ volatile("vmmcall" : "+a"(n)::"rbx", "rcx", "memory");
	return n;
}

static void test_user(void)
{
	uint64_t v = 0;

	if (!under_tessera())
		return;
	expect(!user_run(hyper_is_vmcall() ? user_vmcall : user_vmmcall, HC_GET_VERSION, &v), "the hypercall trapped");
	expect_eq("a hypercall from CPL 3", v, RESULT(-HYPER_EPERM));
}

static void test_bare(void)
{
	if (hyper_present()) {
		skip("under Tessera");
		return;
	}
	expect_trap("VMMCALL without a hypervisor", TRY("vmmcall"), VEC_UD);
	expect_trap("VMCALL without a hypervisor", TRY("vmcall"), VEC_UD);
}

const struct test hyper_tests[] = {
	{ "hyper-calls", test_calls },
	{ "hyper-errors", test_errors },
	{ "hyper-registers", test_registers },
	{ "hyper-other-vendor", test_other_vendor },
	{ "hyper-user", test_user },
	{ "hyper-bare", test_bare },
	{ 0 },
};
