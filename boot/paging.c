/* The CPU's modes for the VMM's life: its own page tables, and the protections that go with them. */
#include <stddef.h>

#include "boot/image.h"
#include "mm/audit.h"
#include "mm/map.h"
#include "vmm/cpu.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"

#define PAT_RESET 0x0007040600070406ull /* SDM vol. 3 table 12-12: index 0 is write-back, 3 uncached */

/* Everything that can refuse comes after the map: with the tables loaded, text is the only thing that runs. */
static void load(const struct cpu_features *f, uint64_t root)
{
	wrmsr_safe(MSR_PAT, PAT_RESET); /* no PAT: the same meaning by the old bits */
	if (f->nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	write_cr3(root);
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
	write_cr4(CR4_PAE | CR4_MCE | CR4_DE | (f->pge ? CR4_PGE : 0) | (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0) |
		  (f->umip ? CR4_UMIP : 0) | (f->fxsr ? CR4_OSFXSR | CR4_OSXMMEXCPT : 0) | (f->xsave ? CR4_OSXSAVE : 0));
}

static struct map_plan plan;

static void make_plan(const struct cpu_features *f)
{
	plan = (struct map_plan){
		.image_start = (uintptr_t)image_start,
		.text_end = (uintptr_t)image_text_end,
		.rodata_end = (uintptr_t)image_rodata_end,
		.image_end = (uintptr_t)image_end,
		.guard = {
			(uintptr_t)boot_stack - PAGE_SIZE,
			(uintptr_t)ist_stack_df - PAGE_SIZE,
			(uintptr_t)ist_stack_nmi - PAGE_SIZE,
			(uintptr_t)ist_stack_mc - PAGE_SIZE,
			(uintptr_t)ist_stack_pf - PAGE_SIZE,
		},
		.guard_count = 5,
		.nx = f->nx,
		.huge = f->page1g,
	};
}

int map_init(const struct boot_info *bi)
{
	const struct cpu_features *f = &this_cpu()->features;
	uint64_t root;
	int err;

	make_plan(f);
	err = map_build(bi, &plan, &root);
	if (!err)
		load(f, root);
	return err;
}

uint64_t map_audit(void)
{
	struct audit a = { 0 };

	audit_map(read_cr3(), &plan, &a);
	if (a.wrong)
		log_error("the VMM's own tables: %llu wrong entries, the first at %016llx: %016llx", (unsigned long long)a.wrong,
			  (unsigned long long)a.where, (unsigned long long)a.entry);
	return a.wrong;
}
