/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Streams of multicast data, counted by the text of bpf/streams.h, in user space. */
#ifndef MCAST_NATIVE_STREAMS_H
#define MCAST_NATIVE_STREAMS_H

#include <stddef.h>
#include <stdint.h>

#include "pair_abi.h"
#include "stream_abi.h"

/* What a packet begins with. */
enum mcast_link {
	MCAST_LINK_ETHERNET = 0, /* only frames to a group's hardware address are looked at */
	MCAST_LINK_COOKED = 1,   /* an Ethernet header without addresses */
	MCAST_LINK_IP = 2
};

/* What is known of one stream; `before` and `during` are how many packets, and bits, came in the second
 * `second` and in the one before it, seconds since 1970. */
struct mcast_stream_entry {
	struct mcast_stream_key key;
	struct mcast_stream stream;
	int64_t second;
	uint64_t packets[2]; /* of the second before, of this one */
	uint64_t bytes[2];
};

struct mcast_stream_table;

/* A table with room for `most` streams, which scatters them by `seed`; `formats` (`count` of them) are
 * copied. NULL if there is no memory. */
struct mcast_stream_table *mcast_streams_new(size_t most, const struct mcast_stream_format *formats,
					     size_t count, uint64_t seed);

void mcast_streams_free(struct mcast_stream_table *table);

/* Counts a packet that came at `now` (ns since 1970) on the interface; `length` bytes on the wire, of
 * which `captured` are at `bytes`. */
void mcast_streams_take(struct mcast_stream_table *table, const uint8_t *bytes, size_t captured,
			size_t length, int link, uint32_t interface, uint64_t now);

/* How many streams there are, and what was counted besides them. */
size_t mcast_streams_count(const struct mcast_stream_table *table);
struct mcast_stream_rest mcast_streams_rest(const struct mcast_stream_table *table);

/* The stream of that number, in the order of their first packets. It belongs to the table. */
const struct mcast_stream_entry *mcast_streams_entry(const struct mcast_stream_table *table,
						     size_t number);

/* As the interface of a leg: it may come on any, or on none that has been seen. */
enum { MCAST_LEG_ANYWHERE = -1, MCAST_LEG_NOWHERE = -2 };

/* From now on these streams are legs, two by two, `count` of them and MCAST_PAIRS * 2 at the most, in
 * VLANs, too; `window` in nanoseconds. What was counted of the pairs stays. False if there is no memory. */
_Bool mcast_streams_use_legs(struct mcast_stream_table *table, const struct mcast_leg_key *legs,
			     size_t count, uint64_t window);

/* What is kept of a pair. It belongs to the table. */
const struct mcast_pair *mcast_streams_pair(const struct mcast_stream_table *table, size_t number);

/* Decides, in a copy of what is kept of a pair, what has passed by `now`. */
void mcast_pair_look(struct mcast_pair *pair, uint64_t now);

/* What the two ways of reading find in an Ethernet frame that is whole: 0 if the short one is not for
 * it, 1 if both found the same, 2 if not. */
int mcast_streams_ways_agree(const uint8_t *bytes, size_t length);

#endif
