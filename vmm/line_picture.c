/* The line's pictures: when heads are looked at, in which mode and how much of the time they are coded. */
#include "vmm/fpu.h"
#include "vmm/hw/hw.h"
#include "vmm/line_priv.h"
#include "vmm/vm.h"

#define LINE_FAST_WINDOW 32768	      /* a host lets a quarter of a second of its line be in flight: from 1.3 Mbaud on the CPU is what limits */
#define LINE_CHOOSE_NS 50000000ull
#define LINE_ECHO_FRAME_NS 4000000ull /* heads are looked at this often while an input's echo is waited for */

void line_picture_begin(uint64_t now)
{
	line.next_frame_ns = 0;
	line.ready = false;
	line.tx.fast = line.link.window >= LINE_FAST_WINDOW; /* at first; then by what is measured */
	dtx_reset(&line.tx, now);
}

void line_encode(void)
{
	uint64_t begin = time_ns(), now = begin, was;
	enum dtx_status status = DTX_WORKING;

	fpu_lend();
	while (!line.ready && status == DTX_WORKING && now < line.encode_until) {
		status = dtx_work(&line.tx, link_body(&line.link), 1);
		line.ready = status == DTX_READY;
		was = now;
		now = time_ns();
		dtx_spent(&line.tx, now - was);
	}
	fpu_take_back();
	pace_use(&line.pace, now - begin);
}

size_t line_datagram(uint8_t *buf, struct dtx_cookie *cookie)
{
	line_encode();
	line.ready = false;
	return dtx_take(&line.tx, buf, cookie);
}

void line_datagram_answer(const struct dtx_cookie *cookie, bool ok)
{
	dtx_answer(&line.tx, cookie, ok);
	line.ready &= ok; /* what was complete may be for nothing */
}

void line_refresh(void)
{
	if (line.vm)
		heads_refresh(line.vm, &line.tx);
}

void line_unplug_head(unsigned n)
{
	heads_unplug(line.vm, n, &line.tx);
}

/* The codec's mode for each head, by the line's rate, and by what of the CPU's time there was for coding since this was asked last. */
static void choose_modes(uint64_t now)
{
	uint64_t elapsed = now - line.chosen_ns, busy = line.pace.busy - line.chosen_busy;
	uint32_t rate = link_rate(&line.link), told = 4 * line.link.window;

	if (elapsed < LINE_CHOOSE_NS)
		return;
	busy = busy < elapsed ? busy * 1000 / elapsed : 1000;
	/*
	 * A host's window is a quarter of a second of its line. One that knows of a slow line is right: what is measured may be the buffers
	 * on the way to it.
	 */
	if (!rate || (rate > told && line.link.window < LINE_FAST_WINDOW))
		rate = told;
	dtx_choose(&line.tx, rate, (unsigned)(1000 - busy * (100 - line.pace.share) / 100), now);
	line.chosen_ns = now;
	line.chosen_busy = line.pace.busy;
}

void line_look(uint64_t now)
{
	if (!line.link.up || now < line.next_frame_ns)
		return;
	line.tx.echo = now < line.echo_until_ns;
	choose_modes(now);
	line_refresh();
	line.ready = false; /* something else may be more urgent now */
	line.next_frame_ns = now + (line.tx.echo ? LINE_ECHO_FRAME_NS : LINE_FRAME_NS);
}

static bool to_code(void)
{
	return line.link.up && !line.ready && !dtx_idle(&line.tx, false);
}

bool line_wants_idle(void)
{
	return !line.pace.idle && to_code();
}

uint64_t line_encode_deadline(uint64_t now)
{
	return to_code() ? pace_next(&line.pace, now) : UINT64_MAX;
}
