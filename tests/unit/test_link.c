/* The link, one rule at a time: sessions, history, text, fairness, windows, what a loss costs, what a hostile peer may say. */
/* links: stream/link.c stream/link_baud.c stream/link_rate.c stream/link_ring.c stream/link_rx.c stream/link_tx.c stream/cobs.c stream/crc32c.c */
/* links: stream/display_tx.c stream/display_build.c stream/display_pick.c stream/display_rx.c CODEC stream/crc32.c */
/* links: stream/proto.c tests/unit/link_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "tests/unit/link_world.h"

static void test_one_word(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, WIDTH, HEIGHT);
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
		w->fb[i] = i % 7 * 0x111111 ^ i;
	dtx_damage(&w->tx, 0, 0, WIDTH * HEIGHT * 4);
	world_settle(w, 100000000);
	/* A plain ground, then one word in the middle of it; and one in the noisiest tile that a palette holds. */
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
		w->fb[i] = 0x204060;
	dtx_damage(&w->tx, 0, 0, WIDTH * HEIGHT * 4);
	world_settle(w, 100000000);
	for (int i = 0; i < 400; i++)
		world_step(w);
	assert_true(link_deadline(&w->vmm, w->now) == UINT64_MAX);
	uint64_t down = w->vmm.tx_bytes, up = w->host.tx_bytes, tiles = w->tx.tiles_sent;

	w->fb[300 * WIDTH + 333] = 0xffffff;
	dtx_damage(&w->tx, 0, (300 * WIDTH + 333) * 4, 4);
	for (int i = 0; i < 2000; i++)
		world_step(w);
	world_check_picture(w);
	down = w->vmm.tx_bytes - down;
	up = w->host.tx_bytes - up;
	print_message("one word on an idle 640x480 screen: %llu bytes VMM -> host, %llu back\n", (unsigned long long)down,
		      (unsigned long long)up);
	assert_int_equal(w->tx.tiles_sent - tiles, 1);
	assert_in_range(down, 1, 200);
	assert_in_range(up, 1, 40);
	world_teardown(w);
}

/* A HELLO that comes twice does not disturb its session; one with a new nonce begins another. */
static void test_hello_again(void **state)
{
	struct world *w = &the_world;
	static struct link copy;

	(void)state;
	world_connect(w, 64, 64);
	world_write_message(&w->host, LINK_CONTROL, &w->host_message, 20);
	world_write_message(&w->vmm, LINK_CONTROL, &w->vmm_message, 20);
	world_settle(w, 1000000);
	uint8_t hello[LINK_LINE_MAX];
	size_t n;

	link_init(&copy, LINK_HOST, &world_host_ops, w, NULL, w->nonce, 40000);
	n = link_tx(&copy, hello, sizeof(hello), w->now);
	for (int i = 0; i < 3; i++)
		link_rx(&w->vmm, hello, n, w->now);
	assert_int_equal(w->vmm.sessions, 1);
	world_write_message(&w->host, LINK_CONTROL, &w->host_message, 20);
	world_write_message(&w->vmm, LINK_CONTROL, &w->vmm_message, 20);
	world_settle(w, 1000000);
	world_check_streams(w);
	assert_int_equal(w->from_host[LINK_CONTROL].message, 2);
	assert_int_equal(w->vmm.lost_frames + w->host.lost_frames, 0);

	link_init(&copy, LINK_HOST, &world_host_ops, w, NULL, w->nonce + 1, 40000);
	n = link_tx(&copy, hello, sizeof(hello), w->now);
	world_paint(w);
	world_step(w);
	assert_true(w->vmm.inflight > 0);
	link_rx(&w->vmm, hello, n, w->now);
	assert_int_equal(w->vmm.sessions, 1); /* who has the line may yet say something */
	w->now += LINK_CLAIM_US;
	link_rx(&w->vmm, hello, n, w->now);
	assert_int_equal(w->vmm.sessions, 2);
	assert_int_equal(w->vmm.inflight, 0);
	assert_int_equal(w->vmm.nonce, w->nonce + 1);
	world_teardown(w);
}

/* What the VMM said to an earlier host does not reach the next one, however much of it is still on the line. */
static void test_stale_frames(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, 64, 64);
	world_write_bytes(w, &w->vmm, LINK_SERIAL, 3000);
	world_paint(w);
	w->now += STEP_US;
	world_pull(w, &w->vmm, &w->down);
	assert_true(w->down.head - w->down.tail > 3000);
	uint64_t before = w->from_vmm[LINK_SERIAL].bytes;

	world_start_host(w, 40000);
	world_deliver(w, &w->host, &w->down, UINT32_MAX);
	assert_int_equal(w->from_vmm[LINK_SERIAL].bytes, before);
	assert_false(w->host.up);
	world_settle(w, 10000000);
	world_check_picture(w);
	world_check_streams(w);
	world_teardown(w);
}

/* A host that comes late gets the log's kept history, and serial text from where the last one stopped. */
static void test_history(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_setup(w, 1, 64, 64);
	world_start_vmm(w, 10000);
	world_write_bytes(w, &w->vmm, LINK_LOG, 3000);
	world_write_bytes(w, &w->vmm, LINK_LOG, 3000); /* the ring holds 4096 */
	world_write_bytes(w, &w->vmm, LINK_SERIAL, 100);
	world_write_message(&w->vmm, LINK_CONTROL, &w->vmm_message, 50);
	for (int i = 0; i < 10; i++) {
		world_step(w);
		assert_int_equal(w->vmm.tx_bytes, 0); /* not a byte before a host says hello */
	}
	world_start_host(w, 40000);
	world_settle(w, 10000000);
	assert_int_equal(w->from_vmm[LINK_LOG].bytes, RING);
	assert_int_equal(w->vmm.ring[LINK_LOG].dropped, 6000 - RING);
	assert_int_equal(w->from_vmm[LINK_SERIAL].bytes, 100);
	assert_int_equal(w->from_vmm[LINK_CONTROL].message, 1);
	world_write_bytes(w, &w->vmm, LINK_SERIAL, 50);
	world_start_host(w, 40000);
	world_settle(w, 10000000);
	world_check_streams(w);
	assert_int_equal(w->from_vmm[LINK_LOG].bytes, 2 * RING);
	assert_int_equal(w->from_vmm[LINK_SERIAL].bytes, 150);
	assert_int_equal(w->vmm.ring[LINK_SERIAL].dropped, 0);
	world_teardown(w);
}

/* A ring of messages that runs over drops whole ones, also while a part of one is on its way. */
static void test_message_overrun(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, 16, 16);
	w->rate = 500;
	for (int i = 0; i < 400; i++) {
		world_write_message(&w->vmm, LINK_CONTROL, &w->vmm_message, 4 + rng_below(&w->r, 2000));
		if (i % 3 == 0)
			world_step(w); /* take_message checks each */
	}
	world_settle(w, 100000000);
	assert_true(w->from_vmm[LINK_CONTROL].lost > CONTROL_RING);
	assert_true(w->vmm.ring[LINK_CONTROL].dropped > CONTROL_RING);
	assert_int_equal(w->from_vmm[LINK_CONTROL].message, w->vmm_message);
	world_check_streams(w);
	world_teardown(w);
}

static void test_bye(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, 64, 64);
	link_bye(&w->vmm, 17);
	assert_false(w->vmm.up);
	world_step(w);
	world_step(w);
	assert_true(w->disconnected == 1 && w->reason == 17 && !w->host.up);
	for (int i = 0; i < 1000; i++)
		world_step(w);
	assert_false(w->vmm.up); /* a host that was sent away does not knock again by itself */
	assert_true(link_deadline(&w->host, w->now) == UINT64_MAX);
	world_start_host(w, 40000);
	world_settle(w, 10000000);
	world_check_picture(w);

	link_bye(&w->host, 0);
	for (int i = 0; i < 10; i++)
		world_step(w);
	assert_false(w->vmm.up);
	assert_int_equal(w->disconnected, 1);
	assert_true(link_deadline(&w->vmm, w->now) == UINT64_MAX);
	world_teardown(w);
}

/* The VMM starts anew (a reset of the machine): its host learns that its session is gone as soon as it says anything. */
static void test_vmm_restarts(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, 64, 64);
	world_start_vmm(w, 10000);
	dtx_reset(&w->tx, w->now * 1000);
	link_ping(&w->host);
	for (int i = 0; i < 10; i++)
		world_step(w);
	assert_true(w->disconnected == 1 && w->reason == LINK_BYE_NO_SESSION);
	world_start_host(w, 40000);
	w->host.rx_offset[LINK_LOG] = 123456; /* more than this VMM has said */
	world_settle(w, 10000000);
	world_check_picture(w);
	world_check_streams(w);
	world_teardown(w);
}

static void test_other_version(void **state)
{
	static const uint8_t hello[] = { LINK_HELLO, 'T', 'S', 'R', 'A', 9, 0, 1, 2, 3, 4 };
	static const uint8_t welcome[] = { LINK_WELCOME, 'T', 'S', 'R', 'A', 9, 0, 1, 0, 0, 0, 55 };
	struct world *w = &the_world;
	uint8_t out[LINK_LINE_MAX];

	(void)state;
	world_setup(w, 1, 16, 16);
	world_start_vmm(w, 10000);
	world_forge(&w->vmm, hello, sizeof(hello), w->now);
	assert_false(w->vmm.up);
	size_t n = link_tx(&w->vmm, out, sizeof(out), w->now);
	int len = cobs_decode(out + 1, n - 2, out);

	assert_int_equal(len, 35 + 4);
	assert_memory_equal(out, ((uint8_t[]){ 2, 'T', 'S', 'R', 'A', LINK_VERSION, 0, 1, 2, 3, 4 }), 11);
	world_start_host(w, 1000);
	world_forge(&w->host, welcome, sizeof(welcome), w->now);
	assert_true(w->disconnected == 1 && w->reason == LINK_BYE_VERSION && !w->host.up);
	assert_true(link_deadline(&w->host, w->now) == UINT64_MAX);
	world_teardown(w);
}

/* Text on the line before a session comes through at once; within one only whole lines of it, and no noise. */
static void test_plain_text(void **state)
{
	static const char banner[] = "Tessera v1\r\nWaiting for a host\r\n# ", last[] = "panic: vector 14\n  rip 1234\n";
	static const uint8_t noise[] = { 0, 9, 0xfe, 'a', 'b', 'c', '\n', 'd', 'e', 'f', '\n', 0 };
	struct world *w = &the_world;

	(void)state;
	world_setup(w, 1, 16, 16);
	world_start_vmm(w, 10000);
	world_start_host(w, 1000);
	for (size_t i = 0; i < strlen(banner); i++) {
		link_rx(&w->host, (const uint8_t *)banner + i, 1, w->now);
		assert_int_equal(w->plain_len, i ? i + 1 : 0);
	}
	assert_string_equal(w->plain, banner);
	world_settle(w, 10000000);
	assert_string_equal(w->plain, banner);
	w->plain_len = 0;
	link_rx(&w->host, noise, sizeof(noise), w->now);
	assert_int_equal(w->plain_len, 0);
	link_rx(&w->host, (const uint8_t *)"\0", 1, w->now);
	link_rx(&w->host, (const uint8_t *)last, strlen(last), w->now);
	assert_string_equal(w->plain, last);
	link_rx(&w->host, (const uint8_t *)"\0", 1, w->now);
	world_paint(w);
	world_settle(w, 10000000);
	world_check_picture(w);
	world_teardown(w);
}

/* Text that never ends, log and picture share the line; control overtakes them all. */
static void test_fairness(void **state)
{
	enum { SERIAL = LINK_SERIAL, LOG = LINK_LOG, PICTURE = LINK_STREAMS };
	struct world *w = &the_world;
	uint64_t before[LINK_STREAMS + 2], sum = 0;

	(void)state;
	world_connect(w, 320, 240);
	w->rate = 60;
	memcpy(before, w->vmm.tx_bytes_by_type, sizeof(before));
	for (int i = 0; i < 4000; i++) {
		for (unsigned s = LOG; s <= SERIAL; s++)
			world_write_bytes(w, &w->vmm, s, link_room(&w->vmm, s));
		for (uint32_t k = 0; k < 320 * 240; k += 5)
			w->fb[k] = rng_next(&w->r) & 0xffffff;
		dtx_damage(&w->tx, 0, 0, 320 * 240 * 4);
		if (i == 2000)
			world_write_message(&w->vmm, LINK_CONTROL, &w->vmm_message, 8);
		world_step(w);
		/* One frame may be on its way before it, and the line takes 18 steps for a long one. */
		if (i == 2000 + 45)
			assert_int_equal(w->from_vmm[LINK_CONTROL].message, w->vmm_message);
	}
	for (int k = 0; k <= PICTURE; k++)
		sum += w->vmm.tx_bytes_by_type[k] - before[k];
	assert_true(w->vmm.tx_bytes_by_type[PICTURE] - before[PICTURE] > sum * 2 / 5);
	assert_true(w->vmm.tx_bytes_by_type[SERIAL] - before[SERIAL] > sum / 6);
	assert_true(w->vmm.tx_bytes_by_type[LOG] - before[LOG] > sum / 6);
	world_teardown(w);
}

/* A small window, and even none, slows but never stops. What waits on the line stays within it. */
static void test_small_windows(void **state)
{
	static const uint32_t windows[] = { 0, 1, 500, 1100, 2200, 5000, UINT32_MAX };
	struct world *w = &the_world;

	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		world_setup(w, 1, 160, 120);
		world_start_vmm(w, windows[i]);
		world_start_host(w, windows[i]);
		w->reader = 100;
		for (int k = 0; k < 300; k++) {
			uint32_t limit = windows[i] < LINK_LINE_MAX ? LINK_LINE_MAX : windows[i];

			world_paint(w);
			world_write_bytes(w, &w->vmm, LINK_SERIAL, link_room(&w->vmm, LINK_SERIAL));
			world_write_message(&w->host, LINK_CONTROL, &w->host_message, 1000);
			world_step(w);
			/* 500 bytes of ACK, PING and WELCOME go beside it. */
			if (windows[i] != UINT32_MAX && w->down.head - w->down.tail > limit + 500)
				FAIL(w, "window %u: %u bytes wait", windows[i], w->down.head - w->down.tail);
		}
		world_settle(w, 300000000);
		world_check_picture(w);
		world_check_streams(w);
		world_teardown(w);
	}
}

/* A frame that is lost is sent again, with those that followed it on its stream, once. */
static void test_loss_costs_once(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, 16, 16);
	uint64_t frames = w->vmm.tx_frames;

	world_write_bytes(w, &w->vmm, LINK_SERIAL, RING);
	world_step(w);
	w->down.bytes[w->down.tail % LINE + 50] ^= 1;
	w->reader = 0;
	for (int i = 0; i < 18; i++)
		world_step(w);
	assert_int_equal(w->vmm.inflight, 5); /* RING / 1019, rounded up */
	/* Slower than the line: what is sent again is out before all of its losses are known. */
	w->reader = 400;
	world_settle(w, 1000000);
	world_check_streams(w);
	assert_int_equal(w->vmm.lost_frames, 5);
	/* Again as they are shorter after a loss: 763 bytes instead of 1019. */
	assert_int_equal(w->vmm.tx_frames - frames, 5 + 6);
	world_teardown(w);
}

/* The last frame's loss is found soon even if the far end talks all the time and is answered. */
static void test_lost_tail(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, 16, 16);
	w->fb[0] = 0x123456;
	dtx_damage(&w->tx, 0, 0, 4);
	world_step(w);
	w->down.tail = w->down.head;
	for (int i = 0; i < 100; i++) {
		world_write_message(&w->host, LINK_INPUT, &w->host_input, 8);
		world_step(w);
	}
	world_check_picture(w);
	assert_true(dtx_idle(&w->tx, true));
	world_teardown(w);
}

/* A WELCOME that was lost with all that followed it: the second HELLO finds both at once. */
static void test_lost_welcome(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_setup(w, 1, 64, 64);
	world_start_vmm(w, 10000);
	world_start_host(w, 40000);
	world_write_bytes(w, &w->vmm, LINK_SERIAL, 2000);
	for (int i = 0; i < 3; i++) {
		world_step(w);
		w->down.tail = w->down.head;
	}
	assert_true(w->vmm.up && w->vmm.inflight > 2 && !w->host.up);
	assert_in_range(world_settle(w, 10000000), 480000, 540000);
	world_check_picture(w);
	world_check_streams(w);
	world_teardown(w);
}

/* ACKs and PINGs that speak of what was never sent settle nothing. */
static void test_forged_acks(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, 64, 64);
	world_paint(w);
	world_write_bytes(w, &w->vmm, LINK_SERIAL, 2000);
	w->now += STEP_US;
	world_pull(w, &w->vmm, &w->down);
	unsigned inflight = w->vmm.inflight;
	uint16_t seq = w->vmm.seq;

	assert_true(inflight >= 3);
	for (uint32_t d = 1; d < 65536 - inflight; d++) {
		uint8_t ack[19] = { LINK_ACK, (uint8_t)(seq + d), (uint8_t)((seq + d) >> 8), 0xff, 0xff, 0xff, 0xff };

		if (d > 100 && d < 65000)
			d += 97;
		world_forge(&w->vmm, ack, sizeof(ack), w->now);
		assert_int_equal(w->vmm.inflight, inflight);
	}
	uint16_t rx_next = w->vmm.rx_next;
	uint8_t ping[3] = { LINK_PING, (uint8_t)(rx_next + LINK_INFLIGHT + 1), (uint8_t)((rx_next + LINK_INFLIGHT + 1) >> 8) };

	world_forge(&w->vmm, ping, sizeof(ping), w->now);
	assert_int_equal(w->vmm.rx_next, rx_next);
	world_settle(w, 10000000);
	world_check_picture(w);
	world_check_streams(w);
	world_teardown(w);
}

/* A guest that reads its serial port slowly holds up that stream, loses none of it, and holds up nothing else. */
static void test_slow_guest(void **state)
{
	struct world *w = &the_world;
	size_t written = 0;

	(void)state;
	for (unsigned lost = 0; lost < 3; lost++) {
		world_connect(w, 16, 16);
		w->guest_reads = 7;
		for (written = 0; written < 10000;) {
			size_t room = link_room(&w->host, LINK_SERIAL);

			room = room < 10000 - written ? room : 10000 - written;
			world_write_bytes(w, &w->host, LINK_SERIAL, room);
			written += room;
			world_write_message(&w->host, LINK_INPUT, &w->host_input, 8);
			for (int i = 0; i < 4; i++) {
				world_step(w);
				if (lost && rng_below(&w->r, lost))
					w->down.tail = w->down.head; /* with the ACK that gives more */
			}
			/* Of all that is in the rings no more is under way than the guest has room for. */
			assert_in_range(w->host.ring[LINK_SERIAL].next - w->from_host[LINK_SERIAL].offset, 0, GUEST_BUFFER);
			if (!lost)
				assert_int_equal(w->from_host[LINK_INPUT].message, w->host_input);
		}
		world_settle(w, 20000000);
		world_check_streams(w);
		assert_int_equal(w->from_host[LINK_SERIAL].bytes, 10000);
		assert_int_equal(w->from_host[LINK_SERIAL].lost, 0);
		if (!lost)
			assert_int_equal(w->host.lost_frames, 0); /* nothing was sent that had to be refused */
		world_teardown(w);
	}
}

/* One that reads nothing: the line is quiet but for a PING a second. A host that sends nevertheless is refused. */
static void test_deaf_guest(void **state)
{
	static const uint8_t piece[3 + 5 + 1000] = { LINK_STREAM, 0, 0, LINK_SERIAL };
	struct world *w = &the_world;
	uint8_t frame[sizeof(piece)];

	(void)state;
	world_connect(w, 16, 16);
	w->guest_reads = GUEST_DEAF;
	world_write_bytes(w, &w->host, LINK_SERIAL, RING);
	for (int i = 0; i < 200; i++)
		world_step(w);
	world_write_bytes(w, &w->host, LINK_SERIAL, RING);
	for (int i = 0; i < 200; i++)
		world_step(w);
	uint64_t up = w->host.tx_bytes, down = w->vmm.tx_bytes;
	uint32_t taken = w->from_host[LINK_SERIAL].offset;

	assert_int_equal(w->guest_unread, GUEST_BUFFER);
	for (int i = 0; i < 2000; i++)
		world_step(w);
	assert_in_range(w->host.tx_bytes - up, 9 * 10, 11 * 10);
	assert_in_range(w->vmm.tx_bytes - down, 9 * 24, 11 * 26);
	for (int i = 0; i < 10; i++) {
		uint16_t seq = w->vmm.rx_next;

		memcpy(frame, piece, sizeof(frame));
		memcpy(frame + 1, &seq, 2);
		memcpy(frame + 4, &taken, 4);
		world_forge(&w->vmm, frame, sizeof(frame), w->now);
	}
	assert_int_equal(w->from_host[LINK_SERIAL].offset, taken);
	world_teardown(w);
}

/* What a full ring drops while the guest does not read is jumped over, and what comes next arrives. */
static void test_slow_guest_jump(void **state)
{
	struct world *w = &the_world;

	(void)state;
	world_connect(w, 16, 16);
	w->guest_reads = 1;
	for (int i = 0; i < 10; i++) {
		world_write_bytes(w, &w->host, LINK_SERIAL, 3000);
		for (int k = 0; k < 10; k++)
			world_step(w);
	}
	w->guest_reads = 500;
	world_settle(w, 10000000);
	world_check_streams(w);
	assert_in_range(w->from_host[LINK_SERIAL].lost, 10000, w->host.ring[LINK_SERIAL].dropped);
	world_teardown(w);
}

/* Counts what reaches the guest's keyboard. */
static size_t keys;

static void count_keys(void *arg, enum link_stream s, const uint8_t *data, size_t len)
{
	(void)arg, (void)data;
	keys += s == LINK_INPUT ? len : 0;
}

/*
 * No key reaches the guest from a frame whose CRC is wrong: a frame with a key press, with each of its bits flipped by itself, with each
 * byte lost or doubled, cut off at each place, and with all kinds of noise in it.
 */
static void test_no_key_from_a_bad_frame(void **state)
{
	static const uint8_t press[] = { 4, 0, 96, 1, 0x1e, 0 };
	struct world *w = &the_world;
	struct link_ops ops = world_vmm_ops;
	uint8_t good[LINK_LINE_MAX], bad[2 * LINK_LINE_MAX];
	size_t n;

	(void)state;
	world_connect(w, 16, 16);
	ops.stream = count_keys;
	w->vmm.ops = &ops;
	link_write(&w->host, LINK_INPUT, press, sizeof(press));
	n = link_tx(&w->host, good, sizeof(good), w->now);
	keys = 0;
	for (size_t i = 1; i + 1 < n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(bad, good, n);
			bad[i] ^= (uint8_t)(1 << bit);
			link_rx(&w->vmm, bad, n, w->now);
		}
		memcpy(bad, good, i);
		memcpy(bad + i, good + i + 1, n - i - 1);
		link_rx(&w->vmm, bad, n - 1, w->now);
		memcpy(bad, good, i + 1);
		memcpy(bad + i + 1, good + i, n - i);
		link_rx(&w->vmm, bad, n + 1, w->now);
		memcpy(bad, good, i);
		bad[i] = 0;
		link_rx(&w->vmm, bad, i + 1, w->now);
	}
	for (unsigned i = 0; i < 100000; i++) {
		size_t from = 1 + rng_below(&w->r, (uint32_t)n - 2), len = 1 + rng_below(&w->r, (uint32_t)(n - 1 - from));

		memcpy(bad, good, n);
		rng_fill(&w->r, bad + from, len);
		if (memcmp(bad, good, n))
			link_rx(&w->vmm, bad, n, w->now);
	}
	assert_int_equal(keys, 0);
	assert_true(w->vmm.rx_bad > 50000);
	link_rx(&w->vmm, good, n, w->now);
	assert_int_equal(keys, sizeof(press)); /* the frame was a good one */
	/* And it is not pressed again by a line that says things twice. */
	link_rx(&w->vmm, good, n, w->now);
	assert_int_equal(keys, sizeof(press));
	w->vmm.ops = &world_vmm_ops;
	world_teardown(w);
}

/* A newcomer at the same line: both hosts get what the VMM says, and it gets what both say, frame by frame. */
static struct {
	struct link link;
	unsigned ended, reason;
} newcomer;

static void newcomer_ended(void *arg, unsigned reason)
{
	(void)arg;
	newcomer.ended++;
	newcomer.reason = reason;
}

static void knock(struct world *w)
{
	static const struct link_ops ops = { .disconnected = newcomer_ended };

	memset(&newcomer, 0, sizeof(newcomer));
	link_init(&newcomer.link, LINK_HOST, &ops, NULL, NULL, 77777, 4000);
	(void)w;
}

static void step_both(struct world *w, bool first_hears, bool first_speaks)
{
	uint8_t buf[4 * LINK_LINE_MAX];
	size_t n;

	w->now += STEP_US;
	n = link_tx(&w->vmm, buf, 400, w->now);
	if (first_hears)
		link_rx(&w->host, buf, n, w->now);
	link_rx(&newcomer.link, buf, n, w->now);
	while (first_speaks && (n = link_tx(&w->host, buf, sizeof(buf), w->now)))
		link_rx(&w->vmm, buf, n, w->now);
	while ((n = link_tx(&newcomer.link, buf, sizeof(buf), w->now)))
		link_rx(&w->vmm, buf, n, w->now);
}

/* Who has the line keeps it, however busy or quiet it is; a newcomer is told, as often as it comes. */
static void test_taken(void **state)
{
	struct world *w = &the_world;

	(void)state;
	for (unsigned busy = 0; busy < 2; busy++) {
		world_connect(w, 64, 64);
		for (unsigned round = 0; round < 3; round++) {
			knock(w);
			for (int i = 0; i < 1000 && !newcomer.ended; i++) {
				if (busy)
					world_paint(w);
				step_both(w, true, true);
			}
			assert_true(newcomer.ended == 1 && newcomer.reason == LINK_BYE_TAKEN);
			assert_true(link_deadline(&newcomer.link, w->now) == UINT64_MAX);
			/* What it says in parting ends nobody else's session. */
			link_bye(&newcomer.link, 0);
			step_both(w, true, true);
		}
		assert_true(w->vmm.up && w->host.up && w->vmm.sessions == 1 && !w->disconnected);
		world_settle(w, 10000000);
		world_check_picture(w);
		world_teardown(w);
	}
}

/* A host that vanished loses its claim, no sooner than it may have been slow; and if it was, it learns that it lost it. */
static void test_claim_lost(void **state)
{
	struct world *w = &the_world;
	uint64_t begin;

	(void)state;
	world_connect(w, 64, 64);
	knock(w);
	begin = w->now;
	while (!newcomer.link.up && w->now - begin < 10000000)
		step_both(w, false, false);
	assert_true(newcomer.link.up && w->vmm.nonce == 77777);
	assert_in_range(w->now - begin, LINK_CLAIM_US, LINK_CLAIM_US + 600000);
	assert_int_equal(newcomer.ended, 0);
	world_teardown(w);

	world_connect(w, 64, 64);
	knock(w);
	for (int i = 0; i < 1000 && !w->disconnected; i++)
		step_both(w, true, false);
	assert_true(w->disconnected == 1 && w->reason == LINK_BYE_TAKEN && !w->host.up);
	assert_true(newcomer.link.up && w->vmm.nonce == 77777);
	for (int i = 0; i < 100; i++)
		step_both(w, true, true);
	assert_true(newcomer.link.up && w->vmm.sessions == 2);
	world_teardown(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_word),     cmocka_unit_test(test_hello_again),     cmocka_unit_test(test_stale_frames),
		cmocka_unit_test(test_history),	     cmocka_unit_test(test_message_overrun), cmocka_unit_test(test_bye),
		cmocka_unit_test(test_vmm_restarts), cmocka_unit_test(test_other_version),   cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_fairness),     cmocka_unit_test(test_small_windows),   cmocka_unit_test(test_loss_costs_once),
		cmocka_unit_test(test_lost_tail),    cmocka_unit_test(test_lost_welcome),    cmocka_unit_test(test_forged_acks),
		cmocka_unit_test(test_slow_guest),   cmocka_unit_test(test_deaf_guest),	     cmocka_unit_test(test_slow_guest_jump),
		cmocka_unit_test(test_no_key_from_a_bad_frame), cmocka_unit_test(test_taken),	     cmocka_unit_test(test_claim_lost),
	};

	return cmocka_run_group_tests(tests, NULL, world_free);
}
