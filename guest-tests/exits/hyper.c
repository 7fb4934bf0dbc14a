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

static volatile uint8_t tracked[3][4096] __attribute__((aligned(4096)));

/* The tracker's calls, one after the other; `ranges` and `dirty` try them hard. */
static void test_dirty(void)
{
	struct hc_dirty_cost before, after;
	struct hc_dirty_info info;
	uint8_t bits = 0;
	int64_t range, consumer;

	if (!under_tessera())
		return;
	hypercall(HC_DIRTY_COST, (uint64_t)&before, 0);
	range = hypercall(HC_DIRTY_RANGE_ADD, (uint64_t)tracked, sizeof(tracked));
	consumer = hypercall(HC_DIRTY_CONSUMER_ADD, 0, 0);
	expect(range >= 0 && consumer >= 0, "range %ld, consumer %ld", range, consumer);
	expect_eq("HC_DIRTY_INFO", RESULT(hypercall(HC_DIRTY_INFO, (uint64_t)&info, 0)), 0);
	expect(info.ranges == 1 && info.consumers == 1 && info.source[0], "%u ranges, %u consumers", info.ranges, info.consumers);
	expect_eq("the first query", RESULT(hypercall4(HC_DIRTY_QUERY, consumer, range, (uint64_t)&bits, 1)), 3);
	expect_eq("its bits", bits, 7);
	expect_eq("the second query", RESULT(hypercall4(HC_DIRTY_QUERY, consumer, range, (uint64_t)&bits, 1)), 0);
	tracked[1][7] = 1;
	expect_eq("a query after a write", RESULT(hypercall4(HC_DIRTY_QUERY, consumer, range, (uint64_t)&bits, 1)), 1);
	expect_eq("its bits", bits, 2);
	expect_eq("HC_DIRTY_RANGE_REMOVE", RESULT(hypercall(HC_DIRTY_RANGE_REMOVE, range, 0)), 0);
	expect_eq("HC_DIRTY_CONSUMER_REMOVE", RESULT(hypercall(HC_DIRTY_CONSUMER_REMOVE, consumer, 0)), 0);
	expect_eq("HC_DIRTY_COST", RESULT(hypercall(HC_DIRTY_COST, (uint64_t)&after, 0)), 0);
	expect(after.exits >= before.exits + 9, "%lu exits, then %lu", before.exits, after.exits);
	expect_eq("frames", after.frames_free, before.frames_free);
}

/* The VMM's own write, as a device's: to the byte, and over a page's end. */
static void test_poke(void)
{
	struct hc_poke poke = { .gpa = (uint64_t)tracked[1] - 100, .bytes = 200, .seed = 5 };
	volatile uint8_t *p = tracked[0];
	uint64_t state = poke.seed;

	if (!under_tessera())
		return;
	for (unsigned i = 0; i < 2 * 4096; i++)
		p[i] = 0;
	expect_eq("HC_POKE", RESULT(hypercall(HC_POKE, (uint64_t)&poke, 0)), 0);
	for (unsigned i = 0; i < 2 * 4096; i++)
		expect_eq("a byte", p[i], i >= 3996 && i < 4196 ? hc_poke_byte(&state) : 0);
	poke.bytes = HC_POKE_BYTES + 1;
	expect_eq("a poke too long", RESULT(hypercall(HC_POKE, (uint64_t)&poke, 0)), RESULT(-HYPER_E2BIG));
	poke.bytes = 8;
	poke.gpa = UNBACKED;
	expect_eq("a poke into nothing", RESULT(hypercall(HC_POKE, (uint64_t)&poke, 0)), RESULT(-HYPER_EFAULT));
	expect_eq("a poke from nothing", RESULT(hypercall(HC_POKE, UNBACKED, 0)), RESULT(-HYPER_EFAULT));
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

extern volatile uint8_t other_vmcall[3] __attribute__((visibility("hidden"))),
	other_vmmcall[3] __attribute__((visibility("hidden")));

/* #UD, unless there is a KVM below Tessera: that keeps the #UD to itself and overwrites the instruction with this CPU's own. */
static void test_other_vendor(void)
{
	int vector;

	if (!under_tessera())
		return;
	if (hyper_is_vmcall())
		vector = TRY("other_vmmcall: vmmcall");
	else
		vector = TRY("other_vmcall: vmcall");
	if (other_vmcall[2] != 0xc1 || other_vmmcall[2] != 0xd9)
		skip("the hypervisor below overwrote the instruction");
	else
		expect_trap(hyper_is_vmcall() ? "VMMCALL on VMX" : "VMCALL on SVM", vector, VEC_UD);
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
	{ "hyper-calls", test_calls }, { "hyper-errors", test_errors },	      { "hyper-dirty", test_dirty },
	{ "hyper-poke", test_poke },   { "hyper-registers", test_registers }, { "hyper-other-vendor", test_other_vendor },
	{ "hyper-user", test_user },   { "hyper-bare", test_bare },	      { 0 },
};
