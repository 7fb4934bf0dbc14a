/*
 * Tessera's hypercalls: what a guest may ask. Shared by the VMM and by guests (guest-tests/lib), so plain C with fixed layouts.
 *
 * Found by CPUID: leaf 1 ECX bit 31 is set, leaf 0x40000000 has EAX = highest leaf, EBX ECX EDX = "TesseraHyper"; leaf 0x40000001 has
 * EAX = HC_VERSION, EBX = number of heads, ECX bit 0 = 1 for VMCALL, 0 for VMMCALL; bit 1 = 1 under
 * shadow paging; bit 2 = 1 where real mode does not run (shadow paging on VMX).
 * Call: EAX = number; arguments in RBX, RCX, RDX, RSI (EBX, ... outside of 64-bit mode); result in RAX: >= 0, or a negative errno. No other
 * register changes. From CPL > 0: -EPERM. Pointers are guest-physical.
 */
#ifndef VMM_HYPERCALL_H
#define VMM_HYPERCALL_H

#include <stdint.h>

#define HC_VERSION 1
#define HC_BASE 0x54530000u

enum hypercall {
	HC_GET_VERSION = HC_BASE, /* -> HC_VERSION */
	HC_HEAD_COUNT,            /* -> number of heads */
	HC_HEAD_INFO,             /* RBX = head, RCX = gpa of a struct hc_head, written; -> 0, -ENOENT, -EFAULT */
	HC_SCREENSHOT,            /* waits until the far end shows all heads exactly, asks it for screenshots; -> their number counted from 0,
				     -ENOTCONN when nobody watches */
};

/* A head's linear framebuffer: 32 bits a pixel, bytes B, G, R, 0. */
struct hc_head {
	uint64_t gpa;             /* first byte of the first row */
	uint32_t width, height;   /* pixels */
	uint32_t stride;          /* bytes */
	uint32_t size;            /* bytes of VRAM from gpa on */
};
_Static_assert(sizeof(struct hc_head) == 24, "hypercall ABI");

#endif
