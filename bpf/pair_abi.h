/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is kept of a pair: one stream that is sent twice, over two networks, its legs a and b (SMPTE ST
 * 2022-7, an exchange's feeds A and B). As stream_abi.h: the programs, the native module and Python share
 * it.
 *
 * A number is a packet's place in the stream. Numbers are kept as positions, which do not wrap, and each
 * has a bit for each leg in a ring of as many as the window has. A number is decided, and its bits are
 * free, when the window has passed.
 */
#ifndef MCAST_PAIR_ABI_H
#define MCAST_PAIR_ABI_H

enum mcast_pair_size {
	MCAST_PAIRS = 64, /* that can be configured */
	MCAST_LEGS_OF_PAIR = 2,
	MCAST_PAIR_NUMBERS = 4096, /* of the window */
	MCAST_PAIR_WORDS = 64,     /* with a bit for each */
	MCAST_PAIR_MARKS = 16,     /* of time: the window's time is kept to a fifteenth of it */
	MCAST_SKEWS = 168          /* classes of each sign */
};

/* A leg as it is configured. */
struct mcast_leg_key {
	uint32_t ifindex;
	uint16_t port;
	uint8_t width; /* of the group: 4 or 16 */
	uint8_t reserved;
	uint8_t group[16];
};

/* What came on a leg. */
struct mcast_leg {
	uint64_t packets;       /* of its stream */
	uint64_t brought;       /* numbers */
	uint64_t alone;         /* numbers that are decided, and the other leg did not bring */
	uint64_t late;          /* packets whose number had been decided */
	uint64_t strangers;     /* packets of other sources, while its own sends */
	uint64_t last;          /* when the last packet came, */
	uint64_t last_numbered; /* and the last that had a number */
	uint64_t number;        /* that one's */
	uint64_t identity[3];   /* whose numbers these are, as in struct mcast_stream */
	uint8_t source[16];
	uint8_t format;
	uint8_t is_known;    /* a packet has come */
	uint8_t is_numbered; /* and one with a number */
	uint8_t is_in;       /* also since the pair has begun */
	uint8_t reserved[4];
};

/* What of a packet, already counted in its stream, a pair is told. */
struct mcast_taken {
	uint64_t number;   /* the first of `count` */
	uint64_t mask;     /* its bits; 0 if it has none */
	uint64_t step;     /* by which numbers go up, a packet */
	uint64_t first_at; /* when the first of them came, if `is_two` */
	uint64_t identity[3];
	uint8_t source[16];
	uint32_t count; /* a heartbeat has a number, and none of them has come */
	uint8_t format;
	uint8_t leg;    /* 0 or 1 */
	uint8_t is_two; /* its own number, and that of the packet before it */
	uint8_t reserved;
};

/* Skews of one second since the clock's zero: b's arrival less a's, in nanoseconds. */
struct mcast_skews {
	uint64_t second;
	uint64_t count;
	int64_t largest;         /* either way */
	uint32_t counts[2][168]; /* of those from 0 on, and of those below: by class */
};

struct mcast_pair {
	uint64_t lock;        /* 1 while a processor counts */
	uint64_t window;      /* nanoseconds */
	uint64_t both;        /* numbers that are decided: both legs brought them, */
	uint64_t neither;     /* or neither did */
	uint64_t begun;       /* times that counting began */
	uint64_t apart_since; /* the legs do not match since then; 0: they do */
	uint64_t missed;      /* packets that found another processor at work for too long */
	uint64_t latest;      /* when the last packet came */
	uint64_t base;        /* the first position */
	uint64_t decided;     /* positions below this one are */
	uint64_t highest;     /* position so far */
	uint64_t number;      /* which it has */
	uint64_t identity[3];
	uint64_t mark_times
		[16]; /* positions up to `marks` had come, or been passed over, at that time */
	uint64_t marks[16];
	uint32_t marks_begin; /* numbers of the first mark that is kept */
	uint32_t marks_end;   /* and of the next one */
	uint64_t second_ends;
	uint8_t is_begun;
	uint8_t format;
	uint8_t is_odd; /* the second that skews are counted in */
	uint8_t reserved[5];
	struct mcast_leg legs[2];
	struct mcast_skews skews[2]; /* of even and odd seconds */
	uint64_t came[2][64];        /* by leg */
	uint64_t timed[64];          /* whose arrival is kept */
	uint32_t
		arrivals[4096]; /* of the packet that brought a number first, with which it began */
};

#endif
