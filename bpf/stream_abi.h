/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is kept of a stream of multicast data, which the programs, the native module and Python share.
 * cffi reads this file too, less its preprocessor lines. As abi.h: integers in host byte order,
 * addresses in network order, IPv4 in the first four bytes. Times are in nanoseconds: of
 * CLOCK_MONOTONIC in the kernel, since 1970 of a file.
 */
#ifndef MCAST_STREAM_ABI_H
#define MCAST_STREAM_ABI_H

enum mcast_format {
	MCAST_FORMAT_NONE = 0, /* not known, or not known yet */
	MCAST_FORMAT_RTP = 1,
	MCAST_FORMAT_MPEGTS = 2,
	MCAST_FORMAT_RTP_MPEGTS = 3, /* MPEG-TS in RTP; the numbers are RTP's */
	MCAST_FORMAT_SACN = 4,
	MCAST_FORMAT_MOLDUDP64 = 5,
	MCAST_FORMAT_CUSTOM = 6,
	MCAST_FORMATS = 7
};

enum mcast_stream_size {
	MCAST_GAPS = 22,          /* 62,500 ns times a power of two each, the last without end */
	MCAST_GAP_ROOM = 32,      /* places for them: an index that is masked is always in there */
	MCAST_PIDS = 32,          /* of a stream that are followed */
	MCAST_TS_PACKETS = 48,    /* of a datagram that are looked at */
	MCAST_STREAM_FORMATS = 32 /* that can be configured */
};

/* One source to one group and port, on one interface and VLAN. */
struct mcast_stream_key {
	uint32_t ifindex;
	uint16_t vlan[2]; /* outermost first */
	uint16_t port;    /* the destination's */
	uint8_t tags;     /* VLAN tags: 0..2 */
	uint8_t width;    /* of an address: 4 or 16 */
	uint8_t source[16];
	uint8_t group[16];
};

/* A format that is configured for groups and a port, and is not guessed there. */
struct mcast_stream_format {
	uint8_t group[16];
	uint8_t mask[16]; /* the bits of the group that count */
	uint64_t count;   /* of custom ones: how much the number goes up by, a packet */
	uint16_t port;    /* 0: any */
	uint16_t offset;  /* of custom ones: where in the payload the number is, */
	uint8_t size;     /* and how many bytes it has: 1, 2, 4 or 8 */
	uint8_t width;    /* of an address: 4 or 16; 0: no format is here */
	uint8_t format;
	uint8_t reserved;
};

/* What a stream is for a pair. */
struct mcast_stream_leg {
	uint32_t turn; /* of the pairs that this was looked up in */
	uint8_t number; /* of the leg: MCAST_LEGS_OF_PAIR times the pair's, and which, from 1; 0: none */
	uint8_t numbers; /* that the last packet made known: 2 if the one before it is believed by its own */
	uint8_t reserved[2];
};

/* What is counted of one stream. */
struct mcast_stream {
	uint64_t lock; /* 1 while a processor counts */
	uint64_t packets;
	uint64_t bytes; /* of IP */
	uint64_t first;
	uint64_t last;
	uint64_t longest_gap;
	uint64_t lost; /* the four of the sequence numbers; MPEG-TS has its own */
	uint64_t reordered;
	uint64_t duplicates;
	uint64_t resets;
	uint64_t ts_lost;     /* steps of continuity counters, in TS packets */
	uint64_t ts_received; /* TS packets that have a counter */
	uint64_t received;    /* numbers: lost of how many */
	uint64_t highest;     /* number so far */
	uint64_t window;      /* bit n: the number n below that has come */
	uint64_t identity[3]; /* whose numbers these are: SSRC, session, CID and universe */
	uint64_t pending;     /* a number out of sequence, believed if the next one follows it */
	uint64_t pending_identity;
	uint64_t latest; /* the number of the last packet that was in its place */
	uint64_t step;   /* by which numbers go up, a packet */
	uint64_t gaps[32];
	uint64_t pids[8];       /* four PIDs in each, with bit 15 set */
	uint8_t continuity[32]; /* by PID: its last counter, and bit 4: that was a repetition */
	uint16_t offset;        /* of a custom number */
	uint8_t size;           /* of it, in bytes */
	uint8_t format;
	uint8_t is_configured;
	uint8_t is_begun;     /* there is a first number */
	uint8_t is_sequenced; /* two packets were in sequence */
	uint8_t has_pending;
	uint8_t span;          /* numbers from the first to the highest, 64 at the most */
	uint8_t latest_has_ts; /* the packet of that number carried whole TS packets */
	uint8_t pending_has_ts;
	uint8_t pair_had_ts; /* both of the first two in sequence did */
	uint8_t pids_known;
	uint8_t ts_before; /* the datagram before this one was MPEG-TS, and the format is not known */
	uint8_t is_joined; /* when its first packet came, its group was */
	uint8_t ttl;       /* of the last packet: IPv4's time to live, IPv6's hop limit */
	struct mcast_stream_leg leg;
};

/* What is counted of multicast UDP besides streams, of one interface. */
struct mcast_stream_rest {
	uint64_t fragments; /* later fragments, which tell no port */
	uint64_t untracked; /* packets of streams that found no room */
};

#endif
