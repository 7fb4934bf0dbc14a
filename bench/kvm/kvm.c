/*
 * What KVM needs for the rows of guest-tests/bench, measured the same way on the same emulated CPUs, whose TSC counts instructions:
 * this program on /dev/kvm, and a guest in 64-bit mode under 4 KiB pages that writes one word a page. Four memory slots are four
 * framebuffers of 1920x1080 pixels; a query is KVM_GET_DIRTY_LOG, with the way through the system call. `kvm MODE` prints a line
 * for each row, `kvm MODE ROW VALUE`: the smallest of RUNS values.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define RUNS 9
#define PAGE 4096u
#define PAGES 2025u
#define RANGES 4u
#define LOW_BYTES (1u << 20) /* slot 0: tables, job and code */
#define RANGE_BASE (16u << 20)
#define RANGE_APART (8u << 20)

/* Places in slot 0. */
#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u
#define TABLES 0x10000u /* of 4 KiB pages, one for each 2 MiB */
#define JOB 0x4000u
#define CODE 0x5000u

#define PTE (1u | 2u | 0x20u | 0x40u) /* present, writable; accessed and dirty, so that the guest's tables are not written to */

/* What the guest is to do next, and how long it took. */
struct job {
	uint64_t pages; /* 0: CPUID */
	uint64_t base;
	uint64_t ticks;
};

/* For ever: the job at JOB, then OUT, which ends KVM_RUN. */
__asm__(".pushsection .rodata\n"
	"guest_code:\n"
	"	mov $0x4000, %r15d\n"
	"	mov (%r15), %r14\n"
	"	mov 8(%r15), %r13\n"
	"	test %r14, %r14\n"
	"	jnz 2f\n"
	"	mov $1, %eax\n"
	"	mov %eax, %ecx\n"
	"	rdtsc\n"
	"	mov %eax, %r12d\n"
	"	mov %ecx, %eax\n"
	"	cpuid\n"
	"	rdtsc\n"
	"	sub %r12d, %eax\n"
	"	jmp 4f\n"
	"2:	rdtsc\n"
	"	mov %eax, %r12d\n"
	"3:	mov %eax, (%r13)\n"
	"	add $4096, %r13\n"
	"	dec %r14\n"
	"	jnz 3b\n"
	"	rdtsc\n"
	"	sub %r12d, %eax\n"
	"4:	mov %eax, %eax\n"
	"	mov %rax, 16(%r15)\n"
	"	out %al, $0x80\n"
	"	jmp guest_code\n"
	"guest_code_end:\n"
	".popsection");
extern const uint8_t guest_code[], guest_code_end[];

static int vm, vcpu;
static struct kvm_run *run;
static uint8_t *low, *memory;
static const char *mode;

static inline uint64_t rdtsc(void)
{
	uint32_t low_half, high_half;

	__asm__ volatile("rdtsc" : "=a"(low_half), "=d"(high_half) : : "memory");
	return (uint64_t)high_half << 32 | low_half;
}

/* ---- the machine */

static void set_slot(unsigned slot, uint64_t gpa, void *host, uint64_t bytes, bool logged)
{
	struct kvm_userspace_memory_region r = { .slot = slot,
						 .flags = logged ? KVM_MEM_LOG_DIRTY_PAGES : 0,
						 .guest_phys_addr = gpa,
						 .memory_size = bytes,
						 .userspace_addr = (uint64_t)(uintptr_t)host };

	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		err(1, "KVM_SET_USER_MEMORY_REGION");
}

static void *guest_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	madvise(p, bytes, MADV_NOHUGEPAGE);
	memset(p, 1, bytes);
	return p;
}

static uint8_t *range_memory(unsigned r)
{
	return memory + (size_t)r * RANGE_APART;
}

static uint64_t range_gpa(unsigned r)
{
	return RANGE_BASE + (uint64_t)r * RANGE_APART;
}

static void track(unsigned r, bool on)
{
	set_slot(1 + r, range_gpa(r), range_memory(r), PAGES * PAGE, on);
}

/* All of the guest's addresses up to the last range are physical ones. */
static void make_tables(void)
{
	uint64_t *pml4 = (uint64_t *)(low + PML4), *pdpt = (uint64_t *)(low + PDPT), *pd = (uint64_t *)(low + PD);
	unsigned tables = (RANGE_BASE + RANGES * RANGE_APART) >> 21;

	pml4[0] = PDPT | PTE;
	pdpt[0] = PD | PTE;
	for (unsigned t = 0; t < tables; t++) {
		uint64_t *pt = (uint64_t *)(low + TABLES + t * PAGE);

		pd[t] = (TABLES + t * PAGE) | PTE;
		for (unsigned i = 0; i < 512; i++)
			pt[i] = ((uint64_t)t << 21 | i << 12) | PTE;
	}
}

static void set_registers(void)
{
	struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs s;

	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		err(1, "KVM_GET_SREGS");
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr0 = 0x80000031; /* PG, NE, ET, PE */
	s.cr3 = PML4;
	s.cr4 = 0x20;	/* PAE */
	s.efer = 0x500; /* LMA, LME */
	if (ioctl(vcpu, KVM_SET_SREGS, &s) < 0)
		err(1, "KVM_SET_SREGS");
	if (ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		err(1, "KVM_SET_REGS");
}

/* CPUID as KVM can give it: an exit's price depends on how many leaves it looks through. */
static void set_cpuid(int kvm)
{
	enum { LEAVES = 256 };
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + LEAVES * sizeof(c->entries[0]));

	if (!c)
		err(1, "calloc");
	c->nent = LEAVES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c) < 0)
		err(1, "KVM_GET_SUPPORTED_CPUID");
	if (ioctl(vcpu, KVM_SET_CPUID2, c) < 0)
		err(1, "KVM_SET_CPUID2");
	free(c);
}

static void make_machine(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), size;

	if (kvm < 0)
		err(1, "/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		err(1, "KVM_CREATE_VM");
	low = guest_pages(LOW_BYTES);
	memory = guest_pages((size_t)RANGES * RANGE_APART);
	memset(low, 0, LOW_BYTES);
	make_tables();
	memcpy(low + CODE, guest_code, (uintptr_t)guest_code_end - (uintptr_t)guest_code);
	set_slot(0, 0, low, LOW_BYTES, false);
	for (unsigned r = 0; r < RANGES; r++)
		track(r, true);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || size < 0)
		err(1, "KVM_CREATE_VCPU");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		err(1, "mmap");
	set_cpuid(kvm);
	set_registers();
}

/* The guest does a job: its ticks. */
static uint64_t guest(uint64_t pages, uint64_t base)
{
	volatile struct job *job = (volatile struct job *)(low + JOB);

	job->pages = pages;
	job->base = base;
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		err(1, "KVM_RUN");
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != 0x80)
		errx(1, "the guest left with reason %u", run->exit_reason);
	return job->ticks;
}

static uint64_t bitmap[(PAGES + 63) / 64];

/* Ticks of one query, which must report this many pages. */
static uint64_t query(unsigned r, unsigned expected)
{
	struct kvm_dirty_log log = { .slot = 1 + r, .dirty_bitmap = bitmap };
	unsigned pages = 0;
	uint64_t from = rdtsc(), to;
	int result = ioctl(vm, KVM_GET_DIRTY_LOG, &log);

	to = rdtsc();
	if (result < 0)
		err(1, "KVM_GET_DIRTY_LOG");
	for (unsigned i = 0; i < sizeof(bitmap) / sizeof(bitmap[0]); i++)
		pages += (unsigned)__builtin_popcountll(bitmap[i]);
	if (pages != expected && expected != UINT32_MAX)
		errx(1, "a query reported %u pages, not %u", pages, expected);
	return to - from;
}

static void forget(void)
{
	for (unsigned r = 0; r < RANGES; r++)
		query(r, UINT32_MAX);
}

/* ---- the rows */

static uint64_t cpuid_exit(unsigned unused)
{
	(void)unused;
	return guest(0, 0);
}

static uint64_t query_n(unsigned pages)
{
	forget();
	if (pages)
		guest(pages, range_gpa(0));
	return query(0, pages);
}

static uint64_t query4(unsigned pages)
{
	uint64_t sum = 0;

	forget();
	for (unsigned r = 0; pages && r < RANGES; r++)
		guest(pages, range_gpa(r));
	for (unsigned r = 0; r < RANGES; r++)
		sum += query(r, pages);
	return sum;
}

/* Over all pages, less the loop itself. */
static uint64_t first_write(unsigned unused)
{
	uint64_t first;

	(void)unused;
	forget();
	first = guest(PAGES, range_gpa(0));
	return (first - guest(PAGES, range_gpa(0)) + PAGES - 1) / PAGES;
}

static uint64_t track_start(unsigned unused)
{
	uint64_t from, ticks;

	(void)unused;
	track(0, false);
	guest(PAGES, range_gpa(0));
	from = rdtsc();
	track(0, true);
	ticks = rdtsc() - from;
	return ticks;
}

static uint64_t track_stop(unsigned unused)
{
	uint64_t from, ticks;

	(void)unused;
	guest(PAGES, range_gpa(0));
	from = rdtsc();
	track(0, false);
	ticks = rdtsc() - from;
	track(0, true);
	return ticks;
}

static void row(const char *name, uint64_t (*measure)(unsigned), unsigned arg)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < RUNS; i++) {
		uint64_t now = measure(arg);

		best = now < best ? now : best;
	}
	printf("kvm %s %s %llu\n", mode, name, (unsigned long long)best);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		unsigned pages;
	} queries[] = { { "query_0", 0 }, { "query_1", 1 }, { "query_16", 16 }, { "query_256", 256 }, { "query_2025", PAGES } };

	if (argc != 2)
		errx(2, "usage: kvm MODE");
	mode = argv[1];
	make_machine();
	for (unsigned r = 0; r < RANGES; r++)
		guest(PAGES, range_gpa(r));
	row("cpuid_exit", cpuid_exit, 0);
	row("first_write", first_write, 0);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		row(queries[i].name, query_n, queries[i].pages);
	row("query4_0", query4, 0);
	row("query4_all", query4, PAGES);
	row("track_start", track_start, 0);
	row("track_stop", track_stop, 0);
	printf("kvm %s over\n", mode);
	return 0;
}
