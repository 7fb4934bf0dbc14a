#include "guest-tests/pagewalk/judge.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/pagewalk/script.h"

#define TEXT 320

struct expected *expected_of(unsigned n)
{
	static struct expected *all;

	if (!all)
		all = ram_alloc(OPS_MAX * sizeof(*all));
	return &all[n];
}

struct expected *expected_new(unsigned n)
{
	struct expected *e = expected_of(n);

	memset(e, 0, sizeof(*e));
	return e;
}

void expected_describe(struct expected *e, const char *what, const struct outcome *path)
{
	e->what = what;
	for (unsigned i = 0; i < path->depth; i++)
		e->entry[i] = path->at[i] ? model_read(path->at[i], model_entry_size(), NULL) : 0;
	e->entries = path->depth;
}

static unsigned describe_fault(char *to, unsigned size, uint32_t vector, uint32_t error, uint64_t cr2)
{
	if (vector == VEC_PF)
		return print_to(to, size, "#PF(0x%x) cr2 0x%lx", error, cr2);
	return print_to(to, size, "vector %u(0x%x)", vector, error);
}

static void trace(unsigned n);

/* "OP: registers; entries; got this, not that". */
static void complain(unsigned n, const struct expected *e, const char *got, const char *want)
{
	const struct op *o = &ops[n];
	char text[TEXT];
	unsigned len;

	len = print_to(text, sizeof(text),
		       "op %u %s%s%s va 0x%lx ax 0x%lx cx 0x%lx; cr0 0x%lx cr3 0x%lx cr4 0x%lx efer 0x%lx; entries", n, e->what,
		       o->flags & OPF_USER ? " user" : "", o->flags & RFLAGS_AC ? " ac" : "", o->di, o->ax, o->cx, e->regs.cr0,
		       e->regs.cr3, e->regs.cr4, e->regs.efer);
	for (unsigned i = 0; i < e->entries; i++)
		len += print_to(text + len, sizeof(text) - len, " 0x%lx", e->entry[i]);
	fail("%s: got %s, expected %s", text, got, want);
	if (judge_trace)
		trace(n);
}

static bool same_fault(unsigned n, const struct fault *f, const struct way *w, uint64_t ip)
{
	const struct op *o = &ops[n];
	uint64_t at = (uint64_t)o->routine;

	if (o->flags & OPF_USER)
		at += USER_CODE - (uint64_t)routines;
	return f->vector == w->vector && !((f->error ^ w->error) & ~w->error_loose) &&
	       (w->vector != VEC_PF || !((f->cr2 ^ w->cr2) & ~w->cr2_loose)) && f->ip == (ip ? ip : at);
}

static bool same_value(const struct result *r, const struct way *w)
{
	uint64_t mask = w->size >= 8 ? ~0ull : (1ull << w->size * 8) - 1;

	return !((r->ax ^ w->value) & mask & ~w->loose);
}

static bool ended_as(unsigned n, const struct result *r, const struct expected *e, const struct way *w)
{
	if (w->vector)
		return r->faults == e->seen_count + 1 && !r->done && same_fault(n, &r->fault[e->seen_count], w, e->ip);
	return r->faults == e->seen_count && r->done && same_value(r, w);
}

static void tell_end(unsigned n, const struct result *r, const struct expected *e)
{
	char got[TEXT], want[TEXT];
	unsigned len = 0;

	if (r->faults > e->seen_count) {
		const struct fault *f = &r->fault[e->seen_count < RESULT_FAULTS ? e->seen_count : 0];
		len = describe_fault(got, sizeof(got), f->vector, f->error, f->cr2);
		print_to(got + len, sizeof(got) - len, " at 0x%lx (fault %u)", f->ip, r->faults);
	} else {
		print_to(got, sizeof(got), "%s after %u faults, ax 0x%lx dx 0x%lx", r->done ? "through" : "ended", r->faults, r->ax,
			 r->dx);
	}
	len = print_to(want, sizeof(want), "%u faults, then", e->seen_count);
	for (unsigned i = 0; i < e->ways; i++) {
		const struct way *w = &e->way[i];
		len += print_to(want + len, sizeof(want) - len, i ? " or " : " ");
		if (w->vector)
			len += describe_fault(want + len, sizeof(want) - len, w->vector, w->error, w->cr2);
		else
			len += print_to(want + len, sizeof(want) - len, "0x%lx (%u bytes, either way 0x%lx)", w->value, w->size,
					w->loose);
	}
	if (!e->ways)
		print_to(want + len, sizeof(want) - len, " the end");
	complain(n, e, got, want);
}

static bool check_seen(unsigned n, const struct result *r, const struct expected *e)
{
	char got[TEXT], want[TEXT];

	for (unsigned i = 0; i < e->seen_count && i < RESULT_FAULTS; i++) {
		const struct fault *f = &r->fault[i];
		unsigned len;
		if (r->faults > i && same_fault(n, f, &e->seen[i], e->ip) && (!e->string || f->cx == e->seen_cx[i]))
			continue;
		if (r->faults <= i) {
			print_to(got, sizeof(got), "only %u faults, ax 0x%lx", r->faults, r->ax);
		} else {
			len = describe_fault(got, sizeof(got), f->vector, f->error, f->cr2);
			print_to(got + len, sizeof(got) - len, " at 0x%lx, cx 0x%lx", f->ip, f->cx);
		}
		len = describe_fault(want, sizeof(want), e->seen[i].vector, e->seen[i].error, e->seen[i].cr2);
		if (e->string)
			print_to(want + len, sizeof(want) - len, ", cx 0x%lx", e->seen_cx[i]);
		complain(n, e, got, want);
		return false;
	}
	return true;
}

static void check_string(unsigned n, const struct result *r, const struct expected *e)
{
	char got[TEXT], want[TEXT];

	if (!e->string || (r->cx == e->cx && r->si == e->si && r->di == e->di))
		return;
	print_to(got, sizeof(got), "cx 0x%lx si 0x%lx di 0x%lx", r->cx, r->si, r->di);
	print_to(want, sizeof(want), "cx 0x%lx si 0x%lx di 0x%lx", e->cx, e->si, e->di);
	complain(n, e, got, want);
}

bool judge_trace;

/* What led to it, for whoever looks for the fault: the argument trace. */
static void trace(unsigned n)
{
	for (unsigned i = 0; i <= n; i++) {
		const struct expected *e = expected_of(i);
		const struct result *r = &results[i];
		print("  %u %s%s%s va 0x%lx ax 0x%lx; entries", i, e->what, ops[i].flags & OPF_USER ? " user" : "",
		      ops[i].flags & RFLAGS_AC ? " ac" : "", ops[i].di, ops[i].ax);
		for (unsigned k = 0; k < e->entries; k++)
			print(" 0x%lx", e->entry[k]);
		for (unsigned k = 0; k < ops[i].repairs; k++)
			print("; repair 0x%lx=0x%lx", ops[i].repair[k].va, ops[i].repair[k].value);
		print(": faults %u (0x%x 0x%lx) ax 0x%lx, %u ways\n", r->faults, r->fault[0].error, r->fault[0].cr2, r->ax,
		      e->ways);
	}
	judge_trace = false;
}

void judge(unsigned n)
{
	const struct expected *e = expected_of(n);
	const struct result *r = &results[n];
	bool ok = false;

	note_checks(1);
	if (!check_seen(n, r, e))
		return;
	for (unsigned i = 0; i < e->ways; i++)
		ok = ok || ended_as(n, r, e, &e->way[i]);
	if (!e->ways)
		ok = r->faults == e->seen_count && !r->done;
	if (ok)
		check_string(n, r, e);
	else
		tell_end(n, r, e);
}
