#include "vmm/loader_priv.h"

#include <errno.h>

typedef unsigned long long ull; /* what %llx takes, on every platform */

static int check_file(struct load *l, const struct segment *s, unsigned index)
{
	uint64_t len = l->in->kernel.len;

	if (s->offset + s->file_bytes < s->offset)
		return loader_fail(l, -EINVAL, "the file is broken: segment %u lies at offset 0x%llx with 0x%llx bytes, past 2^64",
				   index, (ull)s->offset, (ull)s->file_bytes);
	if (s->file_bytes && s->offset + s->file_bytes > len)
		return loader_fail(l, -EINVAL, "the file is truncated: segment %u needs bytes up to 0x%llx but the file has 0x%llx",
				   index, (ull)(s->offset + s->file_bytes), (ull)len);
	if (s->file_bytes > s->mem_bytes)
		return loader_fail(l, -EINVAL, "the file is broken: segment %u has 0x%llx bytes for 0x%llx bytes of memory", index,
				   (ull)s->file_bytes, (ull)s->mem_bytes);
	return 0;
}

static int check_memory(struct load *l, const struct segment *s, unsigned index)
{
	struct span span = { s->paddr, s->paddr + s->mem_bytes };

	if (span.end < span.start)
		return loader_fail(l, -EINVAL, "the file is broken: segment %u at 0x%llx with 0x%llx bytes passes 2^64", index,
				   (ull)s->paddr, (ull)s->mem_bytes);
	for (unsigned i = 0; i < l->kernel.segments; i++) {
		const struct segment *o = &l->kernel.segment[i];

		if (span.start < o->paddr + o->mem_bytes && o->paddr < span.end)
			return loader_fail(l, -EINVAL,
					   "the file is broken: segment %u (0x%llx to 0x%llx) overlaps the one at 0x%llx", index,
					   (ull)span.start, (ull)span.end, (ull)o->paddr);
	}
	if (!place_is_ram(l, span))
		return loader_fail(l, -ENOSPC,
				   "the kernel does not fit: segment %u wants 0x%llx to 0x%llx, which is not all RAM of the guest",
				   index, (ull)span.start, (ull)span.end);
	return 0;
}

int kernel_add(struct load *l, const struct segment *s, unsigned index)
{
	struct kernel *k = &l->kernel;
	int err;

	if (s->mem_bytes == 0 && s->file_bytes == 0)
		return 0;
	err = check_file(l, s, index);
	if (!err)
		err = check_memory(l, s, index);
	if (err)
		return err;
	if (k->segments == LOADER_SEGMENTS)
		return loader_fail(l, -EINVAL, "the kernel has more than %u segments", LOADER_SEGMENTS);
	uint64_t end = s->paddr + s->mem_bytes;

	if (k->segments == 0)
		k->span = (struct span){ s->paddr, end };
	k->span.start = s->paddr < k->span.start ? s->paddr : k->span.start;
	k->span.end = end > k->span.end ? end : k->span.end;
	k->segment[k->segments++] = *s;
	return 0;
}

int kernel_copy(struct load *l)
{
	for (unsigned i = 0; i < l->kernel.segments; i++) {
		const struct segment *s = &l->kernel.segment[i];
		int err = guest_mem_write(l->mem, s->paddr, l->in->kernel.data + s->offset, s->file_bytes);

		if (!err)
			err = guest_mem_fill(l->mem, s->paddr + s->file_bytes, 0, s->mem_bytes - s->file_bytes);
		if (err)
			return loader_fail(l, -ENOSPC, "the kernel does not fit: no memory at 0x%llx", (ull)s->paddr);
	}
	return 0;
}

static bool inside(uint64_t addr, uint64_t start, uint64_t len)
{
	return addr >= start && addr - start < len;
}

/*
 * Linkers give the entry as a virtual address; a kernel linked high with an entry point for paging off gives a physical one. GRUB
 * and others take the segment that holds it by virtual address, and so do we; else it must lie in one by physical address.
 */
int kernel_set_entry(struct load *l, uint64_t entry)
{
	const struct kernel *k = &l->kernel;
	bool found = false;
	uint64_t physical = 0;

	for (unsigned i = 0; i < k->segments && !found; i++) {
		const struct segment *s = &k->segment[i];

		found = inside(entry, s->vaddr, s->mem_bytes);
		physical = entry - s->vaddr + s->paddr;
	}
	for (unsigned i = 0; i < k->segments && !found; i++) {
		found = inside(entry, k->segment[i].paddr, k->segment[i].mem_bytes);
		physical = entry;
	}
	if (!found)
		return loader_fail(l, -EINVAL, "the entry point 0x%llx lies in no segment of the kernel", (ull)entry);
	if (physical > UINT32_MAX)
		return loader_fail(l, -EINVAL,
				   "the entry point 0x%llx lies above 4 GiB, where a boot CPU with paging off cannot begin",
				   (ull)physical);
	l->kernel.entry = (uint32_t)physical;
	return 0;
}
