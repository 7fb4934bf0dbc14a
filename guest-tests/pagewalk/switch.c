/* From each paging mode, and from none, to each other one, over the same frames. */
#include "guest-tests/pagewalk/tree.h"

#define MODES 7
#define OFF 0u

static struct mode {
	struct registers regs;
	uint64_t va[2], at[2]; /* pages, and their leaves' entries */
} modes[MODES];
static unsigned mode_count;

static void add(const struct config *c, bool first)
{
	struct mode *m = &modes[mode_count];

	if (!(first ? tree_begin(c, CR0_WP, 0) : tree_another(c, CR0_WP, 0)))
		return;
	for (unsigned i = 0; i < 2; i++) {
		m->va[i] = model_paging() == PAGING_OFF ? frame_pa(DATA + 1 + i) : tree_va(i, DATA + 1 + i);
		m->at[i] = 0;
		if (model_paging() == PAGING_OFF)
			continue;
		tree_map(m->va[i], 1, FULL);
		m->at[i] = tree_entry(m->va[i], 1);
	}
	m->regs = regs;
	mode_count++;
}

/* With paging off there is no page that CPL 3 could run. */
static void use(const struct mode *m)
{
	const uint32_t by = m->at[0] ? BY_USER : BY_KERNEL;

	for (unsigned i = 0; i < 2; i++) {
		script_access(READ4, m->va[i] + 8, 0, by);
		script_access(WRITE4, m->va[i] + 8, prng_next(&prng) & 0xfefefefe, BY_KERNEL);
		script_access(EXEC, m->va[i] + FRAME_CODE, 0, by);
		script_access(XADD4, m->va[i] + 16, 2, by);
		if (!m->at[i])
			continue;
		script_access(READ4, m->at[i], 0, BY_KERNEL);
		script_poke(m->at[i], 1, 0x05);
		script_invlpg(m->va[i]);
		script_access(WRITE2, m->va[i] + 24, 0x4242, by);
		script_repair(m->at[i], tree_leaf(m->va[i], 1, FULL));
		script_access(WRITE2, m->va[i] + 24, 0x4444, by);
		script_access(READ4, m->at[i], 0, BY_KERNEL);
	}
}

/* Out of the mode and into the next without leaving the script: only between modes of 32 bits. */
static void step_to(const struct mode *m)
{
	if (regs.cr0 & CR0_PG)
		script_cr0(regs.cr0 & ~(uint64_t)CR0_PG);
	script_efer(m->regs.efer);
	script_cr4(m->regs.cr4);
	script_cr3(m->regs.cr3);
	if (m->regs.cr0 & CR0_PG)
		script_cr0(m->regs.cr0);
}

void test_switch(const struct config *first)
{
	static const struct config off = { "off", 0, 0, 0 };

	mode_count = 0;
	add(&off, true);
	for (const struct config *c = first; c->name; c++)
		add(c, false);
	for (unsigned from = 0; from < mode_count; from++)
		for (unsigned to = 0; to < mode_count; to++) {
			const struct mode *pair[2] = { &modes[from], &modes[to] };
			for (unsigned i = 0; i < 2; i++) {
				script_enter(pair[i]->regs.cr0, pair[i]->regs.cr4, pair[i]->regs.efer, pair[i]->regs.cr3);
				use(pair[i]);
			}
		}
	script_enter(modes[OFF].regs.cr0, 0, 0, modes[OFF].regs.cr3);
	for (unsigned i = 0; i < 40; i++) {
		const struct mode *m = &modes[prng_below(&prng, mode_count)];
		if (m->regs.efer & EFER_LME)
			continue;
		step_to(m);
		use(m);
	}
	script_run();
}
