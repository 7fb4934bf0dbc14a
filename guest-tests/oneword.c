/*
 * Paints one colour and waits until the far end shows it. With the argument `word` it then waits for a byte on COM1, changes one
 * word, and waits again: whoever reads the counters before that byte and at the end knows what one word costs.
 */
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
	if (boot_option("word")) {
		print("ready\n");
		console_wait();
		paint_pixel(&heads[0], heads[0].width / 2, heads[0].height / 2, 0xff00ff);
	}
	heads_report("word");
	return tests_failed() ? 1 : 0;
}
