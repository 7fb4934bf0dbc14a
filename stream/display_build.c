/* display.h: the sender's datagrams */
#include <string.h>

#include "stream/display.h"
#include "stream/display_internal.h"

#define BEGIN_BYTES 7 /* number, head, size, what */

static size_t put16(uint8_t *out, unsigned v)
{
	out[0] = (uint8_t)v;
	out[1] = (uint8_t)(v >> 8);
	return 2;
}

#define BLACK_PIECE 16384 /* pixels */

/*
 * A head that begins anew gets ready for it, step by step: the picture is black, unless it is kept, and the codec has learnt
 * nothing. False when it is ready.
 */
static bool prepare(struct dtx_head *h)
{
	uint32_t all = (uint32_t)h->so.width * h->so.height, n = all - h->blackened;

	if (h->begin == DTX_PICTURE && n) {
		n = n < BLACK_PIECE ? n : BLACK_PIECE;
		memset(h->sent + h->blackened, 0, (size_t)n * 4);
		h->blackened += n;
		return true;
	}
	if (!h->preparing)
		dense_enc_reset_begin(h->enc, h->fast ? MODE_FAST : MODE_DENSE, h->sent, h->flags, h->so.width, h->so.height);
	h->preparing = true;
	return dense_reset_step(&h->enc->d);
}

/* What the head begins with, into out. */
static void put_beginning(struct display_tx *tx, struct dtx_head *h, unsigned head)
{
	h->out[1] = (uint8_t)(head | DISPLAY_BEGIN);
	put16(h->out + 2, h->so.width);
	put16(h->out + 4, h->so.height);
	h->header = BEGIN_BYTES - (h->begin == DTX_OFF);
	tx->begins++;
	if (h->begin == DTX_OFF)
		return;
	h->out[6] = (uint8_t)((h->enc->d.mode == MODE_FAST ? DISPLAY_FAST : 0) | (h->begin == DTX_KEEP ? DISPLAY_KEEP : 0));
	dense_enc_source(h->enc, &h->so);
	h->enc->d.touch = (struct touch){ 0 };
	h->sorted = h->enc->d.mode == MODE_FAST || h->begin == DTX_KEEP ? h->rows : 0;
}

static void open_datagram(struct display_tx *tx, struct dtx_head *h, unsigned head, size_t cap)
{
	h->open = true;
	h->began = h->begin != DTX_GO_ON;
	h->out[0] = h->number;
	h->header = 1;
	if (h->began)
		put_beginning(tx, h, head);
	h->begin = DTX_GO_ON;
	if (!dtx_is_on(h))
		return;
	dense_enc_begin(h->enc, h->out + h->header, cap - h->header);
}

/* The datagram is complete, if there is anything in it. */
static void close_datagram(struct display_tx *tx, struct dtx_head *h, unsigned head)
{
	size_t n = dtx_is_on(h) ? dense_enc_end(h->enc) : 0;

	h->open = false;
	if (!n && !h->began)
		return;
	if (!h->began)
		h->out[1] |= (uint8_t)head;
	h->len = h->header + n;
	choose_note(&h->choose, 0, h->len, dtx_is_on(h) ? h->enc->d.touch.tiles : 0);
	h->len_urgent = h->urgent && !h->began;
	if (++h->held >= DTX_HOLD)
		h->urgent = false;
	if (dtx_is_on(h)) {
		tx->tiles_sent += h->enc->d.touch.tiles;
		h->enc->d.touch.tiles = 0;
	}
}

/*
 * Between two datagrams a head may go on in the codec's other mode. The far end keeps the picture and takes what is on its way
 * first, as that beginning has its number after it; here what was still to be coded is put off.
 */
static void change_mode(struct display_tx *tx, struct dtx_head *h)
{
	if (h->begin != DTX_GO_ON || !dtx_is_on(h) || h->fast == (h->enc->d.mode == MODE_FAST))
		return;
	if (!dense_enc_idle(h->enc)) {
		dense_enc_break(h->enc);
		dtx_put_off(h);
	}
	h->begin = DTX_KEEP;
	h->preparing = false;
	tx->changes++;
}

/* A slice of a round, or of what comes before one. */
static enum dense_status work_on_round(struct display_tx *tx, struct dtx_head *h)
{
	tx->slices++;
	if (dtx_must_break(tx, h)) {
		dense_enc_break(h->enc);
		dtx_put_off(h);
		tx->breaks++;
		return DENSE_READY;
	}
	if (dense_enc_idle(h->enc)) {
		if (h->sorted < h->rows) {
			dtx_sort_row(h);
			return DENSE_WORKING;
		}
		dtx_select(h);
	} else {
		dtx_put_off_new(h);
	}
	enum dense_status status = dense_enc_work(h->enc, 1);

	tx->coded |= h->enc->stage != ENC_IDLE && h->enc->stage != ENC_DIFF;
	return status;
}

/* Works on one head; returns the slices that are left. Less than all were used only if a datagram is complete or nothing is to be
 * done. */
static unsigned work_head(struct display_tx *tx, unsigned head, size_t cap, unsigned slices)
{
	struct dtx_head *h = &tx->head[head];

	while (slices && !h->len && dtx_has_work(h)) {
		enum dense_status status = DENSE_READY;

		slices--;
		if (!h->open) {
			change_mode(tx, h);
			if ((h->begin == DTX_PICTURE || h->begin == DTX_KEEP) && prepare(h))
				continue;
			open_datagram(tx, h, head, cap);
			continue;
		}
		if (dtx_is_on(h))
			status = work_on_round(tx, h);
		if (status != DENSE_WORKING)
			close_datagram(tx, h, head);
	}
	return slices;
}

enum dtx_status dtx_work(struct display_tx *tx, size_t cap, unsigned slices)
{
	for (tx->coded = false;;) {
		unsigned head = dtx_pick(tx, false);

		if (head == DISPLAY_HEADS)
			return DTX_IDLE;
		if (tx->head[head].len)
			return DTX_READY;
		if (!slices)
			return DTX_WORKING;
		slices = work_head(tx, head, cap, slices);
		tx->turn = tx->last = head;
	}
}

/* The lost datagram that was sent first, or NULL. */
static struct dtx_packet *oldest_lost(struct display_tx *tx)
{
	struct dtx_packet *oldest = NULL;

	for (unsigned i = 0; i < DTX_PACKETS; i++) {
		struct dtx_packet *p = &tx->packet[i];

		if (p->serial && p->lost && (!oldest || (int32_t)(p->serial - oldest->serial) < 0))
			oldest = p;
	}
	return oldest;
}

/* A place for the head's next datagram; NULL if there is none, or one that is too old is still on its way. */
static struct dtx_packet *free_packet(struct display_tx *tx, unsigned head)
{
	struct dtx_packet *found = NULL;

	for (unsigned i = 0; i < DTX_PACKETS; i++) {
		struct dtx_packet *p = &tx->packet[i];

		if (!p->serial)
			found = p;
		else if (p->head == head && (uint8_t)(tx->head[head].number - p->number) >= DTX_PACKETS)
			return NULL;
	}
	return found;
}

/* The next complete datagram becomes a packet; NULL if there is none. */
static struct dtx_packet *next_packet(struct display_tx *tx)
{
	unsigned head = dtx_pick(tx, true);
	struct dtx_packet *p = head < DISPLAY_HEADS ? free_packet(tx, head) : NULL;
	struct dtx_head *h = &tx->head[head % DISPLAY_HEADS];

	if (!p)
		return NULL;
	tx->serial += tx->serial == UINT32_MAX ? 2 : 1;
	p->serial = tx->serial;
	p->head = (uint8_t)head;
	p->number = h->number++;
	p->tries = 0;
	p->len = (uint16_t)h->len;
	memcpy(p->body, h->out, h->len);
	h->len = 0;
	dtx_took(tx, head, p->len);
	tx->datagrams++;
	tx->tiles_bytes += p->len;
	return p;
}

size_t dtx_take(struct display_tx *tx, uint8_t *buf, struct dtx_cookie *cookie)
{
	struct dtx_packet *p = oldest_lost(tx);

	tx->again += p != NULL;
	if (!p)
		p = next_packet(tx);
	if (!p)
		return 0;
	p->lost = false;
	p->tries++;
	memcpy(buf, p->body, p->len);
	*cookie = (struct dtx_cookie){ .serial = p->serial, .packet = (uint8_t)(p - tx->packet) };
	return p->len;
}
