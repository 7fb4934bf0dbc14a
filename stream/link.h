/*
 * The link: frames over one serial line that may flip, drop or double bytes, in both directions. The same code on both ends.
 *
 * On the line:  0x00 | COBS( type u8 | [seq u16] | body | crc32c u32 ) | 0x00        integers little-endian; CRC over all before it
 * Sequenced frames (DISPLAY, STREAM) carry seq; the others do not and may be repeated at will:
 *   HELLO    host -> VMM   "TSRA", u16 version, u32 nonce, u32 window, u32 room, u32 next offset wanted of each stream
 *                          (LINK_STREAMS; LINK_OLDEST: the oldest that is kept). Repeated until the WELCOME with this nonce comes.
 *   WELCOME  VMM -> host   "TSRA", u16 version, u32 nonce, u32 window, u32 room, u32 first offset of each stream
 *   ACK      both          u16 next (every sequenced frame before it is settled), u64 map (bit i: frame next-1-i was accepted),
 *                          u32 window in bytes, and u32 limit of a receiver whose room has bounds
 *   PING     both          u16 next: the sequence number the sender would use next; the receiver settles all before it, sends ACK
 *   BYE      both          u8 reason, u32 nonce: the session with this nonce ends in order; the VMM waits for a HELLO again. Also,
 *                          with nonce 0, the VMM's answer to frames that belong to no session (it was started anew), so that
 *                          their sender learns of it
 *   TAKEN    VMM -> host   u32 nonce: the answer to a HELLO with this nonce, while another host has the line
 *   BAUD     both          u8 step and what belongs to it: the line's rate is raised before a session (link_baud.c)
 *   DISPLAY  VMM -> host   a display datagram (display.h)
 *   STREAM   both          u8 stream (| LINK_JUMP), u32 offset, bytes: a piece of an endless, reliable byte stream. LINK_JUMP: what
 *                          stood before offset is gone (the ring ran over), so the receiver goes on here
 *
 * One loss mechanism for all: the line keeps order, so a frame that comes settles every earlier one; what is missing then
 * was lost. The ACK tells which. The sender hands a lost display datagram's cookie back (its owner has it sent again, display.h);
 * a lost stream frame moves that stream's read position back to it, and the bytes come
 * again from the ring. The receiver accepts stream bytes only in order: a frame past a gap counts as not accepted.
 * Flow control: at most `window` unsettled line bytes (told by the receiver) and LINK_INFLIGHT frames, and no more than keep the
 * line busy (link_rate.c); nothing waits in a queue but one built frame. One frame is always allowed, so a window of 0 means one at
 * a time and none is ever waited for.
 * The SERIAL stream has a second control, for its reader may be a guest that reads slowly, and that must hold up nothing else: a
 * receiver says how many bytes of it there is room for (room, in HELLO and WELCOME, from the stream's first byte of the session
 * on), and later up to which offset it takes them (limit, in ACK). What waits beyond stays in the sender's ring; while it does, a
 * PING a second finds out about an ACK that was lost.
 * A tail loss is found by PING after a time-out that doubles; since order is kept, a PING that came too early harms nothing.
 *
 * A session: the host chooses a nonce that was not used before and says HELLO. A HELLO with a nonce that is not the session's
 * begins a new one on the VMM: sequence numbers and host -> VMM stream offsets start at 0, what was in flight is lost. VMM -> host
 * offsets count from the VMM's start, and a new host gets the history that is kept. Before the WELCOME with its nonce the host
 * takes no other frame, so what was meant for an earlier host cannot reach it.
 *
 * Who has the line keeps it: a HELLO of another host while a session stands makes the VMM ask its host for a sign of life. Comes
 * one within LINK_CLAIM_US, the newcomer is told TAKEN; else the line is free for it. So a host that vanished is succeeded without
 * anybody knowing of it, and one that is slow, or restarted, waits that long. A host that sees another's WELCOME knows that it lost
 * the line.
 *
 * Text outside of frames: before a session anything may stand on the line. Within one, the VMM's last words (a fault in the VMM
 * itself) may: it sends a 0 and then lines of plain ASCII, each with its newline, at once by whatever way is left.
 *
 * Nothing in here blocks, allocates or reads a clock: the caller gives time in microseconds and moves the bytes.
 */
#ifndef STREAM_LINK_H
#define STREAM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/cobs.h"
#include "stream/display.h"

#define LINK_VERSION 3 /* of the codec too: what one end codes the other must know */
#define LINK_BODY_MAX 1024			     /* bytes of a frame's body */
#define LINK_FRAME_MAX (1 + 2 + LINK_BODY_MAX + 4)   /* before stuffing */
#define LINK_LINE_MAX (COBS_MAX(LINK_FRAME_MAX) + 2) /* on the line, with both delimiters */
#define LINK_JUMP 0x80u				     /* in a STREAM frame's stream byte */
#define LINK_OLDEST 0xffffffffu			     /* in a HELLO: from the oldest byte that is kept */
#define LINK_CLAIM_US 3000000u			     /* a host that is asked and says nothing for so long has left */
#define LINK_INFLIGHT 48			     /* unsettled frames at most */
#define LINK_MORE 1024				     /* a smaller gain of room is not told by itself */

/*
 * What a fault costs at most: so many line bytes of pictures go out from the last fault on until every picture is exact, where nothing
 * is drawn meanwhile, and whatever happened before: frames lost, hosts gone and come back. pixels and tiles: of all heads that are on.
 *  - What was on its way may be lost: the window, and the frame that it let through last, but no more than LINK_INFLIGHT frames. It is
 *    sent again once.
 *  - A head may begin anew then, as the last fault was the loss of the same datagram for the eighth time (DTX_TRIES). That is known
 *    when the ACK comes for what was on its way; what was sent of it meanwhile is for nothing: as much again, and its own repetition.
 *  - Each tile is coded once: at raw and 1 % (dense_encode.h) of 3 bytes a pixel, and 6.5 % for the frames around datagrams of
 *    DTX_CAP_MIN bytes: 13/4 bytes a pixel. A datagram that ends with its round is shorter, but has a tile at least: 32 bytes for each.
 * A keyframe is but a part of this, and mostly far less: tests/unit/test_link_torture.c has figures.
 */
static inline uint64_t link_recovery_max(uint32_t window, uint64_t pixels, uint64_t tiles)
{
	uint64_t flight = (window < LINK_INFLIGHT * LINK_LINE_MAX ? window : LINK_INFLIGHT * LINK_LINE_MAX) + LINK_LINE_MAX;

	return 3 * flight + 13 * pixels / 4 + 32 * tiles;
}

enum link_type { LINK_HELLO = 1, LINK_WELCOME, LINK_ACK, LINK_PING, LINK_BYE, LINK_TAKEN, LINK_BAUD, LINK_DISPLAY = 0x10, LINK_STREAM = 0x11 };

/* Why a session ended; owners may use others from 16 on. */
enum link_reason { LINK_BYE_DONE = 0, LINK_BYE_NO_SESSION, LINK_BYE_VERSION, LINK_BYE_TAKEN, LINK_BYE_SILENT };

/* The streams. Each direction has its own bytes and offsets. */
enum link_stream {
	LINK_CONTROL = 0, /* messages, proto.h */
	LINK_LOG,	  /* VMM -> host: the VMM's log, text */
	LINK_SERIAL,	  /* the guest's COM1 */
	LINK_INPUT,	  /* host -> VMM: keyboard and pointer events, proto.h */
	LINK_STREAMS
};

/* A byte stream's sending side: a ring that keeps what is not yet settled. Offsets count from the stream's first byte, mod 2^32. */
struct link_ring {
	uint8_t *buf; /* size bytes, owned by the caller; size a power of two; NULL: nothing can be sent on this stream */
	uint32_t size;
	uint32_t head;	  /* offset after the last byte written */
	uint32_t tail;	  /* offset of the oldest byte kept */
	uint32_t next;	  /* offset of the next byte to send; tail <= next <= head */
	uint32_t settled; /* all before it are known to have arrived */
	bool jump;	  /* bytes before next are gone: the next frame says so */
	bool framed;	  /* messages (CONTROL, INPUT; link_init sets it): tail is the start of one, whole ones are dropped */
	bool keep;	  /* keep settled bytes as history for a later host: only overwritten when room is needed */
	uint64_t dropped; /* bytes overwritten before they were settled */
};

struct link_inflight {
	uint16_t seq;
	uint16_t line_bytes;
	uint8_t type; /* LINK_DISPLAY or LINK_STREAM */
	uint8_t stream;
	bool jump;  /* it went out with LINK_JUMP */
	bool again; /* its bytes are due again already, for the loss of a frame before it */
	uint32_t offset, len;
	struct dtx_cookie cookie;
	/* link_rate.c: when it began, what had been delivered by then and when that was */
	bool alone, limited; /* it went into an empty line; there was not enough to send to fill the line */
	uint64_t sent_us, delivered, delivered_us;
};

enum link_role { LINK_VMM, LINK_HOST };

#define LINK_BAUDS 13
extern const uint32_t link_bauds[LINK_BAUDS]; /* rates that a line may be raised to, ascending */

/* The line's rate, link_baud.c. */
struct link_baud {
	uint32_t home, now, wanted, target; /* where sessions begin; as it is; as it is to be; the raised one */
	uint32_t can;			    /* of link_bauds, this end: a bit each */
	enum { BAUD_HOME, BAUD_ANSWER, BAUD_PROVE, BAUD_RAISED } phase;
	bool offered, owe_echo, probed;
	uint8_t echoes, probes, failed;
	uint32_t nonce;
	uint64_t since_us, probe_us, asked_us;
};

/*
 * What the owner of an end gives. Any may be NULL. Called from inside link_rx, link_tx and link_bye; they may call link_write,
 * link_room and link_bye, nothing else.
 */
struct link_ops {
	/* A session began: the far end said HELLO (VMM) or WELCOME (host). Display state must be reset (dtx_reset, drx_reset). */
	void (*connected)(void *arg);
	/* The far end ended the session, or speaks another version (enum link_reason). The host is quiet from then on: see
	 * link_init. */
	void (*disconnected)(void *arg, unsigned reason);
	/* In-order bytes of a stream. On connected, CONTROL and INPUT begin with a new message. */
	void (*stream)(void *arg, enum link_stream s, const uint8_t *data, size_t len);
	/* How many bytes of SERIAL there is room for now; more are refused, to come again. NULL: for all. 2 * LINK_MORE where it is
	 * empty. */
	uint32_t (*room)(void *arg);
	/* So many bytes of a stream are gone for good; what comes next follows them. CONTROL, INPUT: it begins with a new message.
	 */
	void (*jumped)(void *arg, enum link_stream s, uint32_t lost);
	/* Host: a display datagram; a negative answer counts the frame as not accepted, so that it comes again. */
	int (*display)(void *arg, const uint8_t *body, size_t len);
	/* VMM: give a datagram (of at most LINK_BODY_MAX bytes) and its cookie; 0: nothing to send. */
	size_t (*build)(void *arg, uint8_t *buf, struct dtx_cookie *cookie);
	/* VMM: what became of a datagram. */
	void (*answer)(void *arg, const struct dtx_cookie *cookie, bool ok);
	/* Every frame whose CRC was right, before it is acted upon: its type and what follows, without the CRC. */
	void (*frame)(void *arg, const uint8_t *frame, size_t len);
	/* Line bytes outside of frames: a banner, another program's noise; within a session only lines of printable text. Host
	 * only. */
	void (*plain)(void *arg, const uint8_t *data, size_t len);
};

struct link {
	enum link_role role;
	const struct link_ops *ops;
	void *arg;
	bool up;     /* a session stands */
	bool closed; /* host: the session is over, or the versions differ: say no more HELLO */
	uint32_t nonce;
	uint32_t window;      /* what the far end lets us have in flight, bytes */
	uint32_t my_window;   /* what we let it have */
	uint32_t limit, told; /* up to which offset the far end takes SERIAL, and we do as it knows */
	struct link_ring ring[LINK_STREAMS];
	/* sending */
	uint16_t seq;			   /* of the next sequenced frame */
	unsigned inflight, inflight_first; /* frames in fl[], as a ring */
	uint32_t inflight_bytes;
	struct link_inflight fl[LINK_INFLIGHT];
	uint64_t rto_us, sent_us;     /* time-out now; when something but an ACK was last sent, or settled */
	uint64_t hello_us;	      /* when the next HELLO is due */
	uint32_t first[LINK_STREAMS]; /* VMM: where the streams began in this session, for a WELCOME that is said again */
	unsigned turn;		      /* streams and display take turns */
	/* the line as it was measured, link_rate.c */
	uint64_t delivered, delivered_us; /* line bytes settled in this session, and when last */
	uint32_t rate[2];		  /* best of this span and of the one before, bytes a second */
	uint32_t rate_least;		  /* what the line takes at least, bytes a second: the owner's to set; 0: not known */
	uint64_t rate_us, base_at_us;	  /* when this span began; when the delay was measured */
	uint32_t base_us;		  /* the line's own delay, there and back */
	uint16_t body, shorter_seq;	  /* what loss makes of a frame's length; the frame with which it may shrink again */
	bool empty_first, pressed;	  /* send nothing before the line is empty; the line was what we waited for */
	bool owe_ack, owe_welcome, owe_ping, owe_bye, owe_taken;
	uint32_t welcome_nonce, bye_nonce, taken_nonce, knock_nonce;
	uint64_t knock_us, knocked_us; /* VMM: since when it is known of a newcomer, its last word */
	uint64_t heard_us;	       /* the far end's last word within the session */
	struct link_baud baud;
	uint8_t bye_reason;
	uint64_t ack_due_us;
	unsigned unacked;	     /* sequenced frames received since the last ACK */
	uint8_t raw[LINK_FRAME_MAX]; /* a frame while it is made */
	uint8_t out[LINK_LINE_MAX];  /* the one frame on its way */
	size_t out_len, out_pos;
	uint64_t frame_us; /* when it began */
	/* receiving */
	uint16_t rx_next;
	uint64_t rx_map;		  /* bit i: frame rx_next-1-i was accepted */
	uint32_t rx_offset[LINK_STREAMS]; /* next byte awaited of each stream; before the host's session: the one wanted */
	uint8_t in[LINK_LINE_MAX];
	size_t in_len;
	bool in_skip; /* too long: wait for a delimiter */
	bool in_text; /* this is no frame but text */
	/* counters */
	uint64_t tx_bytes, rx_bytes, tx_frames, rx_frames, rx_bad, lost_frames, sessions;
	uint64_t tx_bytes_by_type[LINK_STREAMS + 2]; /* streams, LINK_STREAMS: display, LINK_STREAMS + 1: the rest; line bytes */
};

/**
 * Prepares an end. rings: LINK_STREAMS entries with buf, size and keep set (copied; buffers stay the caller's; a size that is no
 * power of two is rounded down to one), NULL for none. nonce: for the host, a number that no earlier session used; ignored on
 * the VMM. my_window: bytes the far end may have in flight to us.
 * The host says HELLO from now on. To go on with streams where an earlier session ended, it sets rx_offset[] before the first
 * link_tx; else it gets all that is kept. A host that was disconnected connects again by another link_init with a new nonce.
 */
void link_init(struct link *l, enum link_role role, const struct link_ops *ops, void *arg, const struct link_ring *rings,
	       uint32_t nonce, uint32_t my_window);

/**
 * The line's rate is ours to change: it is baud now, where sessions begin, and this end can do those of link_bauds whose bits are set in
 * can (none that is not faster counts). Once, after link_init.
 */
void link_baud_init(struct link *l, uint32_t baud, uint32_t can);

/** The line is to go back to where sessions begin: for a host that called link_init again and kept baud of the struct. */
void link_baud_again(struct link *l);

/**
 * The rate that the owner has to set, once all that link_tx gave is on the wire; 0: none. Until link_baud_set says that it is done (ok)
 * or cannot be done, link_tx gives nothing.
 */
uint32_t link_baud_wanted(const struct link *l);
void link_baud_set(struct link *l, bool ok, uint64_t now_us);

/** Takes n bytes from the line, in any pieces. Hostile input is safe: bad frames are counted and dropped. */
void link_rx(struct link *l, const uint8_t *bytes, size_t n, uint64_t now_us);

/**
 * Gives up to cap bytes for the line, building frames as needed (one at a time, so what they say is current). 0: nothing
 * to send now. An owner whose ops->build may return 0 with work left (dtx_work's slices) asks again by itself.
 */
size_t link_tx(struct link *l, uint8_t *out, size_t cap, uint64_t now_us);

/**
 * When link_tx should be asked again if nothing else happens (time-outs, owed acknowledgements), in microseconds of the
 * caller's clock; UINT64_MAX: never.
 */
uint64_t link_deadline(const struct link *l, uint64_t now_us);

/** The line's rate towards the far end, as measured in the last seconds, in bytes a second; 0: not known yet. */
uint32_t link_rate(const struct link *l);

/** How long a display datagram had best be: urgent ones wait for those on their way, and a line with faults hits long ones more
 * often. */
size_t link_body(const struct link *l);

/** Room in a stream's ring without dropping what has not arrived. */
size_t link_room(const struct link *l, enum link_stream s);

/**
 * Adds bytes to a stream. If the ring is full the oldest bytes are dropped (counted in dropped; the far end sees the jump as a new
 * offset), so it always succeeds: callers that must not lose bytes ask link_room first.
 * CONTROL and INPUT take whole messages, one or more a call; one that is larger than the ring is dropped.
 */
void link_write(struct link *l, enum link_stream s, const void *data, size_t len);

/** All that was written has arrived at the far end (streams only). */
bool link_drained(const struct link *l);

/** There is more room for SERIAL than ops->room said before. Cheap: the far end is told when it is worth a frame. */
void link_more(struct link *l);

/** Asks the far end for a sign of life (a PING goes out, an ACK comes back, or a BYE where it knows of no session). */
void link_ping(struct link *l);

/**
 * Ends the session in order: a BYE goes out with the next link_tx. What is not settled is given up (answer(false)), so an owner
 * with something left to say waits for link_drained first. disconnected is not called.
 */
void link_bye(struct link *l, unsigned reason);

#endif
