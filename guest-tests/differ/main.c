/*
 * Runs random programs and tells what came of each: `case N VECTOR ERROR ADDRESS RIP DIGEST`, with the arguments seed=N, cases=N,
 * from=N (the first case), most=N (instructions of a program at most), show (its bytes and registers).
 */
#include "guest-tests/differ/differ.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/window.h"

#define CASES 1000
#define GROUP 20 /* cases behind one digest, where they are not told one by one */

int main(void);

static struct start start;

static void enter(void *arg)
{
	program_enter(arg);
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
	digest = (digest ^ value) * 0xff51afd7ed558ccdull;
	return digest ^ digest >> 32;
}

/* General registers and flags at the end. QEMU's translator sets no RF in what a fault pushes, which Tessera does. */
static uint64_t frame_digest(struct trap_frame *f)
{
	const uint64_t *words = (const uint64_t *)f;
	uint64_t digest = 0;

	if (cpu_is_tcg())
		f->rflags &= ~(uint64_t)RFLAGS_RF;
	for (unsigned i = 0; i < sizeof(*f) / 8; i++)
		digest = mix(digest, words[i]);
	return digest;
}

static void show(const uint8_t *code, const struct trap_frame *f)
{
	print("code");
	for (unsigned i = 0; i < 600; i++)
		print(" %02x", code[i]);
	uint64_t registers[ARENA_REGISTERS];
	unsigned n = arena_registers(registers);

	print("\nsystem registers");
	for (unsigned i = 0; i < n; i++)
		print(" %lx", registers[i]);
	print("\n");
	for (enum arena_page page = PLAIN; page < ARENA_PAGES; page++)
		print("page %u %lx, mapped by %lx\n", page, arena_page_digest(page), window_table[page]);
	print("begins rax %lx rcx %lx rdx %lx rbx %lx rbp %lx rsi %lx rdi %lx r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 "
	      "%lx r15 %lx\n",
	      start.rax, start.rcx, start.rdx, start.rbx, start.rbp, start.rsi, start.rdi, start.r8, start.r9, start.r10, start.r11,
	      start.r12, start.r13, start.r14, start.r15);
	print("ends rax %lx rcx %lx rdx %lx rbx %lx rbp %lx rsi %lx rdi %lx r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx "
	      "r15 %lx\n",
	      f->rax, f->rcx, f->rdx, f->rbx, f->rbp, f->rsi, f->rdi, f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15);
	print("rip %lx cs %lx rflags %lx rsp %lx ss %lx\n", f->rip, f->cs, f->rflags, f->rsp, f->ss);
}

int main(void)
{
	uint64_t seed, cases, from, most, digest = 0, all = 0;
	bool one_by_one, bytes;

	guest_init();
	seed = boot_number("seed", 1);
	cases = boot_number("cases", CASES);
	from = boot_number("from", 0);
	most = boot_number("most", PROGRAM_MAX);
	bytes = boot_option("show");
	one_by_one = bytes || boot_option("each");
	print("seed=%lu\n", seed);
	arena_make();
	for (uint64_t n = from; n < from + cases; n++) {
		const uint64_t s = seed << 32 ^ n;
		const bool user = n & 1;
		uint64_t memory, registers;

		arena_reset(user);
		program_make(s, user, (unsigned)most, arena_code());
		program_start(s, user, &start);
		trap_run(enter, &start);
		memory = arena_digest();
		registers = frame_digest(&trap_last.frame);
		digest = mix(mix(digest, memory), registers);
		if (trap_last.vector == VEC_PF)
			digest = mix(digest, trap_last.cr2);
		if (one_by_one)
			print("case %lu vector %d error %lx cr2 %lx rip %lx registers %lx memory %lx\n", n, trap_last.vector,
			      trap_last.error, trap_last.cr2, trap_last.frame.rip, registers, memory);
		else if ((n + 1) % GROUP == 0)
			print("cases to %lu: %lx\n", n, digest);
		all = mix(all, digest);
		if ((n + 1) % GROUP == 0)
			digest = 0;
		if (bytes)
			show(arena_code(), &trap_last.frame);
	}
	arena_reset(false);
	print("PASS differ %lx\n", all);
	return 0;
}
