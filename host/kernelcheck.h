/*
 * Looks at a guest file before anything is started: is it a kernel that can boot, is it whole, does it fit. The VMM checks all of
 * this again; here it is about a clear sentence.
 */
#ifndef HOST_KERNELCHECK_H
#define HOST_KERNELCHECK_H

#include <stddef.h>
#include <stdint.h>

enum kernel_kind { KERNEL_ELF32, KERNEL_ELF64, KERNEL_AOUT_KLUDGE, KERNEL_LINUX, KERNEL_FIRMWARE };

struct kernel_info {
	enum kernel_kind kind;
	uint64_t entry;
	uint64_t top; /* guest-physical address after the last byte that it needs */
};

/**
 * Checks a file's bytes.
 * @memory_mib  the guest's memory
 * Returns 0 and fills info, or -ENOEXEC (no kernel, or broken) or -ENOMEM (too big) with a sentence in *why, valid until the next
 * call; the sentence follows "FILE: ".
 */
int kernel_check(const uint8_t *file, size_t size, uint64_t memory_mib, struct kernel_info *info, const char **why);

#endif
