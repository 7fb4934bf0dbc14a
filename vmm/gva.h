/* Guest memory by linear address, through the guest's own page tables, with the faults that the CPU would raise. */
#ifndef VMM_GVA_H
#define VMM_GVA_H

#include <stddef.h>
#include <stdint.h>

#include "mm/walk.h"
#include "vmm/vcpu.h"

/** The guest's paging mode now. */
void gva_mode(struct vcpu *v, struct walk_mode *m);

/** An access as the current privilege level would make it. */
struct walk_access gva_access(struct vcpu *v, bool write, bool fetch);

/**
 * Translates one address. Sets accessed and dirty bits.
 * Returns 0 with *gpa; or -EFAULT when the walk faulted: #PF was queued for the guest.
 */
int gva_translate(struct vcpu *v, uint64_t gva, struct walk_access a, uint64_t *gpa);

/* Up to a page of bytes at a linear address, translated: in one page or two. */
struct gva_span {
	uint64_t gpa[2];
	size_t len[2]; /* len[1] 0: one page */
};

/**
 * Translates [gva, gva+len), len at most a page, for an access of the current privilege level. Outside of 64-bit mode addresses
 * wrap at 4 GiB. Returns 0, or -EFAULT with a #PF queued; then the access has had no effect.
 */
int gva_resolve(struct vcpu *v, uint64_t gva, size_t len, bool write, struct gva_span *s);

/** Copies all of a span from or to guest memory, RAM or devices. It was resolved for that kind of access. Cannot fail. */
void gva_span_read(struct vcpu *v, const struct gva_span *s, void *dst);
void gva_span_write(struct vcpu *v, const struct gva_span *s, const void *src);

/**
 * Copies len bytes (at most a page) from or to guest memory, RAM or devices. All pages are translated before a byte
 * moves. Returns 0, or -EFAULT with a fault queued.
 */
int gva_read(struct vcpu *v, uint64_t gva, void *dst, size_t len);
int gva_write(struct vcpu *v, uint64_t gva, const void *src, size_t len);

/** Fetches up to len instruction bytes at CS:RIP; stops at a page that cannot be read. Returns how many; 0: a #PF was queued. */
size_t gva_fetch(struct vcpu *v, uint8_t *dst, size_t len);

/**
 * Linear address of a memory operand: adds the segment's base, checks limit, type and canonical form (SDM vol. 3, 5.3, 3.3.7.1).
 * Returns 0, or -EFAULT with #GP or #SS queued.
 */
int gva_linear(struct vcpu *v, enum vseg seg, uint64_t offset, size_t len, bool write, uint64_t *gva);

#endif
