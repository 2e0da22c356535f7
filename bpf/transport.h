/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* MPEG-TS in datagrams: whole packets of 188 bytes, and the continuity counters of their PIDs. */
#ifndef MCAST_TRANSPORT_H
#define MCAST_TRANSPORT_H

#include "datagram.h"

enum {
	MCAST_TS_PACKET = 188,
	MCAST_TS_SYNC = 0x47,
	MCAST_TS_NULL = 0x1fff, /* the PID of stuffing */
	MCAST_REPEATED = 0x10
};

/* Whether the bytes of the payload from `from` up to `to` are whole TS packets. */
MCAST_INLINE bool mcast_are_ts(const struct mcast_source *source,
			       const struct mcast_datagram *datagram, uint32_t from, uint32_t to)
{
	uint32_t offset = datagram->payload + from, end = datagram->payload + to;
	uint64_t i;
	uint8_t sync;

	if (!datagram->is_whole || to <= from || (to - from) % MCAST_TS_PACKET)
		return false;
	for (i = 0; i < MCAST_TS_PACKETS; i++) {
		MCAST_KEEP(i);
		if (offset >= end)
			break;
		if (!mcast_bytes(source, offset, &sync, sizeof(sync)) || sync != MCAST_TS_SYNC)
			return false;
		offset += MCAST_TS_PACKET;
	}
	return true;
}

/* Forgets all PIDs, and what was counted of them. */
MCAST_INLINE void mcast_forget_ts(struct mcast_stream *stream)
{
	int i;

	if (!stream->ts_before)
		return;
	for (i = 0; i < 8; i++)
		stream->pids[i] = 0;
	stream->pids_known = 0;
	stream->ts_lost = stream->ts_received = 0;
	stream->ts_before = 0;
}

/* Where the PID's counter is; MCAST_PIDS if it is not followed. Four PIDs are compared at once: the
 * highest bit of the lowest 16 that are equal is the lowest bit set of `equal`. */
MCAST_INLINE uint32_t mcast_place_of_pid(const struct mcast_stream *stream, uint32_t pid)
{
	const uint64_t ones = 0x0001000100010001, tops = 0x8000800080008000;
	uint64_t wanted = (pid | 0x8000u) * ones, i, word, equal;

	for (i = 0; i < 8; i++) {
		MCAST_KEEP(i);
		word = stream->pids[i & 7] ^ wanted;
		equal = (word - ones) & ~word & tops;
		if (equal) {
			equal &= -equal;
			return (uint32_t)(4 * i + ((equal >> 31 & 1) | (equal >> 47 & 1) * 2 |
						   (equal >> 63) * 3));
		}
	}
	return MCAST_PIDS;
}

/* Begins to follow a PID, if there is room. */
MCAST_INLINE void mcast_follow_pid(struct mcast_stream *stream, uint32_t pid, uint8_t counter)
{
	uint32_t place = stream->pids_known;

	if (place >= MCAST_PIDS)
		return;
	stream->pids[place >> 2 & 7] |= (uint64_t)(pid | 0x8000u) << (place & 3) * 16;
	stream->continuity[place & 31] = counter;
	stream->pids_known = (uint8_t)(place + 1);
}

/* The counter of a packet of a PID that is followed (ISO 13818-1 §2.4.3.3). */
MCAST_INLINE void mcast_take_continuity(struct mcast_stream *stream, uint32_t place, uint8_t counter,
					bool has_payload)
{
	uint8_t last = stream->continuity[place & 31];
	uint8_t steps = (uint8_t)(counter - last) & 15;

	if (!has_payload) {
		stream->ts_lost += steps;
		if (steps)
			stream->continuity[place & 31] = counter;
		return;
	}
	stream->continuity[place & 31] = counter;
	if (steps)
		stream->ts_lost += steps - 1u;
	else if (last & MCAST_REPEATED)
		stream->ts_lost += 15;
	else
		stream->continuity[place & 31] = counter | MCAST_REPEATED;
}

/* The TS packet at `offset` of the frame. */
MCAST_INLINE void mcast_take_ts_packet(const struct mcast_source *source, struct mcast_stream *stream,
				       uint32_t offset)
{
	uint32_t words[2];
	const uint8_t *packet = (const uint8_t *)words;
	uint32_t pid, place, control;

	if (!mcast_bytes(source, offset, words, 6))
		return;
	pid = (packet[1] & 0x1fu) << 8 | packet[2];
	control = packet[3] >> 4 & 3;
	if (packet[1] & 0x80 || pid == MCAST_TS_NULL || !control)
		return;
	stream->ts_received++;
	place = mcast_place_of_pid(stream, pid);
	MCAST_FORGET();
	if (place >= MCAST_PIDS)
		mcast_follow_pid(stream, pid, packet[3] & 15);
	else if ((control & 2) && packet[4] && packet[5] & 0x80) /* discontinuity_indicator */
		stream->continuity[place & 31] = packet[3] & 15;
	else
		mcast_take_continuity(stream, place, packet[3] & 15, control & 1);
	MCAST_FORGET();
}

/* A datagram of whole TS packets. */
MCAST_INLINE void mcast_take_ts(const struct mcast_source *source, struct mcast_stream *stream,
				const struct mcast_datagram *datagram)
{
	uint32_t offset = datagram->payload, end = offset + datagram->length;
	uint64_t i;

	for (i = 0; i < MCAST_TS_PACKETS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (offset >= end)
			break;
		mcast_take_ts_packet(source, stream, offset);
		offset += MCAST_TS_PACKET;
	}
	MCAST_FORGET();
}

#endif
