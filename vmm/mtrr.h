/*
 * Memory type range registers (SDM vol. 3, 12.11). They are kept and checked, and have no effect: all that a guest reaches is
 * ordinary memory or emulated, and where it wants another type its page tables say so. Kernels look for them all the same: Linux
 * does without PAT, and so without write-combining, where they are missing or off.
 */
#ifndef VMM_MTRR_H
#define VMM_MTRR_H

#include <stdint.h>

struct vcpu;

#define MTRR_RANGES 8u
#define MTRR_FIXED 11u
#define MTRR_CAP (MTRR_RANGES | 1u << 8 | 1u << 10) /* with fixed ranges and write-combining */

struct mtrr {
	uint64_t def_type, fixed[MTRR_FIXED], range[2 * MTRR_RANGES]; /* base and mask alternate */
};

/** As power-on leaves them: off. */
void mtrr_reset(struct mtrr *m);
/** As firmware leaves them: all is write-back but the VGA's window and, from GUEST_MMIO_START to 4 GiB, devices. */
void mtrr_boot(struct mtrr *m, unsigned phys_bits);
/** The register that RCX names; -EINVAL: a value that the CPU refuses. */
int mtrr_get(struct vcpu *v, uint64_t *value);
int mtrr_set(struct vcpu *v, uint64_t value);

#endif
