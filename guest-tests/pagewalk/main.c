/*
 * Paging, seen from inside: every mode, every permission bit, error codes, accessed and dirty bits, stale translations, all against
 * a model written from the manual (model.c, walk.c). The argument seed=N makes the random part another one; only=NAME runs one
 * group.
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/pagewalk/judge.h"
#include "guest-tests/pagewalk/tree.h"

#define SEED 0x7e55e7a

int main(void);

struct prng prng = { SEED };

#define ALL 0u
#define LARGE 1u /* modes with leaves above level 1 */
#define ONCE 2u	 /* switches modes by itself */
#define ONES 3u	 /* modes in which an entry of ones has reserved bits; what is in nowhere is known of Tessera only */

static const struct group {
	const char *name;
	group_fn *fn;
	unsigned where;
} groups[] = {
	{ "rights", test_rights, ALL },
	{ "rights-upper", test_rights_upper, ALL },
	{ "rights-large", test_rights_large, LARGE },
	{ "reserved", test_reserved, ALL },
	{ "nowhere", test_nowhere, ONES },
	{ "pdpte", test_pdpte, ALL },
	{ "accessed", test_accessed, ALL },
	{ "dirty", test_dirty, ALL },
	{ "grant", test_grant, ALL },
	{ "revoke", test_revoke, ALL },
	{ "cross", test_cross, ALL },
	{ "string", test_string, ALL },
	{ "implicit", test_implicit, ALL },
	{ "flush", test_flush, ALL },
	{ "cache-bits", test_cache_bits, ALL },
	{ "tables", test_tables, ALL },
	{ "switch", test_switch, ONCE },
	{ "random", test_random, ALL },
};

/* The value of a word NAME=VALUE on the command line. */
static bool option(const char *name, uint64_t *number, char *text, unsigned size)
{
	const char *s = boot.cmdline;
	unsigned n = 0;

	while (name[n])
		n++;
	for (; *s; s++) {
		unsigned len = 0;
		if (memcmp(s, name, n) || s[n] != '=' || (s != boot.cmdline && s[-1] != ' '))
			continue;
		s += n + 1;
		while (s[len] && s[len] != ' ' && len + 1 < size) {
			text[len] = s[len];
			len++;
		}
		text[len] = '\0';
		for (*number = 0; *s >= '0' && *s <= '9'; s++)
			*number = *number * 10 + (uint64_t)(*s - '0');
		return true;
	}
	return false;
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void run(const struct group *g, const struct config *c)
{
	if (g->where == LARGE && (c->cr4 & (CR4_PSE | CR4_PAE)) == 0)
		return;
	if (g->where == ONES && (!(c->cr4 & CR4_PAE) || !hyper_present()))
		return;
	if (g->where == ONCE && c != configs)
		return;
	if ((c->efer & EFER_NXE) && !limits.nx)
		return;
	group_begin(g->name, g->where == ONCE ? "all" : c->name);
	g->fn(c);
	group_end();
}

int main(void)
{
	uint64_t seed = SEED, ignored;
	char text[32], only[32] = "";
	const char *why;

	guest_init();
	option("seed", &seed, text, sizeof(text));
	option("only", &ignored, only, sizeof(only));
	judge_trace = boot_option("trace");
	prng.state = seed ? seed : 1;
	print("seed=%lu\n", seed);
	why = world_init();
	if (why) {
		print("FAIL setup: %s\n", why);
		return 1;
	}
	model_init();
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		for (const struct config *c = configs; c->name; c++)
			if (!only[0] || same(only, groups[i].name))
				run(&groups[i], c);
	print("%u checks, %u failed\n", checks, failures);
	return failures ? 1 : 0;
}
