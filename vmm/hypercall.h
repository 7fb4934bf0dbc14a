/*
 * Tessera's hypercalls: what a guest may ask. Shared by the VMM and by guests (guest-tests/lib), so plain C with fixed layouts.
 * docs/guest-interface.md is the introduction, with an example.
 *
 * Found by CPUID: leaf 1 ECX bit 31 is set, leaf 0x40000000 has EAX = highest leaf, EBX ECX EDX = "TesseraHyper"; leaf 0x40000001
 * has EAX = HC_VERSION, EBX = number of heads, ECX bit 0 = 1 for VMCALL, 0 for VMMCALL; bit 1 = 1 under
 * shadow paging; bit 2 = 1 where real mode does not run (shadow paging on VMX).
 *
 * Call: EAX = number; arguments in RBX, RCX, RDX, RSI (EBX, ... outside of 64-bit mode); result in RAX: >= 0, or a negative errno.
 * No other register changes. From CPL > 0: -EPERM. Pointers are guest-physical, of any alignment; -EFAULT where a byte is not RAM
 * or VRAM, and then nothing is written. All 64 bits of an argument count: an id with stray upper bits is no id.
 *
 * Version 2 added HC_DIRTY_* and HC_POKE: a guest as a client of the dirty tracker. Its ranges and consumers are its own: it can't
 * name those of the VMM's display stream. A reset of the guest removes all of them. Version 3 added hc_dirty_cost.host_exits.
 */
#ifndef VMM_HYPERCALL_H
#define VMM_HYPERCALL_H

#include <stdint.h>

#define HC_VERSION 3
#define HC_BASE 0x54530000u

#define HC_DIRTY_RANGES 96		/* live at a time */
#define HC_DIRTY_CONSUMERS 7		/* live at a time */
#define HC_DIRTY_RANGE_BYTES 0x4000000u /* one range at most: bounds the VMM's work in one call */
#define HC_POKE_BYTES 4096u

enum hypercall {
	HC_GET_VERSION = HC_BASE, /* -> HC_VERSION */
	HC_HEAD_COUNT,		  /* -> one more than the last head's number; unplugged ones leave gaps */
	HC_HEAD_INFO,		  /* RBX = head, RCX = gpa of a struct hc_head, written; -> 0, -ENOENT: not there, -EFAULT */
	HC_SCREENSHOT, /* waits until the far end shows all heads exactly, asks it for screenshots; -> their number counted from 0,
			  -ENOTCONN when nobody watches */
	HC_DIRTY_INFO, /* RBX = gpa of a struct hc_dirty_info, written; -> 0, -EFAULT */
	/*
	 * RBX = gpa, RCX = bytes: tracks writes to these bytes' pages. All of it counts as written. -> the range's id; -EINVAL:
	 * empty, or wraps; -E2BIG: more than HC_DIRTY_RANGE_BYTES; -EFAULT: not all RAM or VRAM; -ENOSPC: HC_DIRTY_RANGES live
	 * already; -ENOMEM
	 */
	HC_DIRTY_RANGE_ADD,
	/* RBX = id, RCX = gpa, RDX = bytes: moves or resizes; all of the new place counts as written. -> 0, -ENOENT, or as for ADD;
	 * on an error the range stays as it was */
	HC_DIRTY_RANGE_MOVE,
	HC_DIRTY_RANGE_REMOVE,	  /* RBX = id; -> 0, -ENOENT */
	HC_DIRTY_CONSUMER_ADD,	  /* -> the consumer's id: all ranges count as written for it; -ENOSPC */
	HC_DIRTY_CONSUMER_REMOVE, /* RBX = id; -> 0, -ENOENT */
	/*
	 * RBX = consumer, RCX = range, RDX = gpa of a bitmap, RSI = its bytes: the pages written since this consumer's last query
	 * of this range. Bit i (of byte i / 8) is page i of the range, page 0 that of its first byte; (pages + 7) / 8 bytes are
	 * written, the bits beyond the last page 0. -> number of dirty pages; -ENOENT; -ENOSPC: the bitmap is too small; -EFAULT:
	 * it can't be written. On an error nothing is lost: the next query reports it. The bitmap's own pages count as written,
	 * after the query.
	 */
	HC_DIRTY_QUERY,
	HC_DIRTY_COST, /* RBX = gpa of a struct hc_dirty_cost, written; -> 0, -EFAULT */
	/*
	 * RBX = gpa of a struct hc_poke: the VMM writes hc_poke_byte's bytes to guest memory as an emulated device would. For
	 * tests.
	 * -> 0; -E2BIG: more than HC_POKE_BYTES; -EFAULT
	 */
	HC_POKE,
	HC_STALL, /* never comes back; only on a VMM told selftest=stall, else -ENOSYS. For tests of its watchdog */
};

/* A head's linear framebuffer: 32 bits a pixel, bytes B, G, R, 0. All zero: it is off, out of memory space, or of another depth. */
struct hc_head {
	uint64_t gpa;		/* first byte of the first row */
	uint32_t width, height; /* pixels */
	uint32_t stride;	/* bytes */
	uint32_t size;		/* bytes of VRAM from gpa on */
};
_Static_assert(sizeof(struct hc_head) == 24, "hypercall ABI");

struct hc_dirty_info {
	uint32_t ranges_max, consumers_max; /* HC_DIRTY_RANGES, HC_DIRTY_CONSUMERS of this VMM */
	uint32_t ranges, consumers;	    /* the guest's live ones */
	uint64_t range_bytes_max;	    /* HC_DIRTY_RANGE_BYTES of this VMM */
	char source[16];		    /* how writes are noticed now: "fault", "dbit", "pml", "auto" (faults or scans), "shadow"; zero-padded */
};
_Static_assert(sizeof(struct hc_dirty_info) == 40, "hypercall ABI");

/* What tracking costs. Ticks are the host's TSC, spent by the last successful call in the tracker alone. Counters run from
 * power-on. */
struct hc_dirty_cost {
	uint64_t add_ticks, move_ticks, remove_ticks, query_ticks;
	uint64_t exits;		/* VM exits, this call's own among them */
	uint64_t vmcs_accesses; /* VMREADs and VMWRITEs; 0 on SVM */
	uint64_t tlb_flushes;
	uint64_t dirty_faults; /* writes that were stopped for the tracker */
	uint64_t queries;      /* the display stream's too */
	uint64_t reported;     /* pages that queries reported, the display stream's too */
	uint64_t frames_free;  /* 4 KiB frames that the VMM has left */
	uint64_t host_exits;   /* of the exits, those for the machine's interrupts, which are none of the guest's doing */
};
_Static_assert(sizeof(struct hc_dirty_cost) == 96, "hypercall ABI");

struct hc_poke {
	uint64_t gpa;
	uint32_t bytes;
	uint32_t seed;
};
_Static_assert(sizeof(struct hc_poke) == 16, "hypercall ABI");

/** The next byte of HC_POKE; *state begins as the seed. Knuth's MMIX generator, its upper byte. */
static inline uint8_t hc_poke_byte(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint8_t)(*state >> 56);
}

#endif
