/* Paints one colour, waits until it is on the far end, then (with the argument `word`) changes one word: what does that cost? */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/painter.h"
#include "guest-tests/lib/print.h"

int main(void);

int main(void)
{
	const char *why;

	guest_init();
	why = heads_find();
	if (!check(!why && head_count && heads_shadow(), "heads", why ? why : "there is no head, or not enough memory"))
		return 1;
	paint_fill(&heads[0], 0, 0, heads[0].width, heads[0].height, 0x204060);
	heads_report("solid");
	if (boot_option("word"))
		paint_pixel(&heads[0], heads[0].width / 2, heads[0].height / 2, 0xff00ff);
	heads_report("word");
	return tests_failed() ? 1 : 0;
}
