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
MCAST_INLINE bool mcast_are_ts(const struct mcast_source *source, struct mcast_datagram *datagram,
			       uint32_t from, uint32_t to)
{
	uint64_t i;
	uint8_t sync;

	if (!datagram->is_whole || to <= from || (to - from) % MCAST_TS_PACKET)
		return false;
	datagram->at = datagram->payload + from;
	datagram->until = datagram->payload + to;
	for (i = 0; i < MCAST_TS_PACKETS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (datagram->at >= datagram->until)
			break;
		if (!mcast_bytes(source, datagram->at, &sync, sizeof(sync)) ||
		    sync != MCAST_TS_SYNC)
			return false;
		datagram->at += MCAST_TS_PACKET;
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

/* Finds where the PID's counter is; MCAST_PIDS if it is not followed. Four PIDs are compared at once: of
 * those that are equal the lowest has the lowest bit that is set in `equal`, at its top. */
MCAST_INLINE void mcast_find_pid(const struct mcast_stream *stream, struct mcast_datagram *datagram)
{
	const uint64_t ones = 0x0001000100010001, tops = 0x8000800080008000;
	uint64_t wanted = (datagram->pid | 0x8000u) * ones, i, word, equal;

	datagram->place = MCAST_PIDS;
	for (i = 0; i < MCAST_PIDS / 4; i++) {
		MCAST_KEEP(i);
		word = stream->pids[i & 7] ^ wanted;
		equal = (word - ones) & ~word & tops;
		if (equal) {
			equal &= -equal;
			datagram->place = (uint32_t)(4 * i + ((equal >> 31 & 1) |
							      (equal >> 47 & 1) * 2 |
							      (equal >> 63) * 3));
			break;
		}
	}
	MCAST_FORGET();
}

/* Begins to follow the PID, if there is room. */
MCAST_INLINE void mcast_follow_pid(struct mcast_stream *stream,
				   const struct mcast_datagram *datagram)
{
	uint32_t place = stream->pids_known;

	if (place >= MCAST_PIDS)
		return;
	stream->pids[place >> 2 & 7] |= (uint64_t)(datagram->pid | 0x8000u) << (place & 3) * 16;
	stream->continuity[place & 31] = datagram->counter;
	stream->pids_known = (uint8_t)(place + 1);
}

/* The counter of a packet of a PID that is followed (ISO 13818-1 §2.4.3.3). */
MCAST_INLINE void mcast_take_continuity(struct mcast_stream *stream,
					const struct mcast_datagram *datagram, bool has_payload)
{
	uint8_t *kept = &stream->continuity[datagram->place & 31], last = *kept;
	uint8_t steps = (uint8_t)(datagram->counter - last) & 15;

	if (!has_payload) {
		stream->ts_lost += steps;
		if (steps)
			*kept = datagram->counter;
	} else if (steps) {
		stream->ts_lost += steps - 1u;
		*kept = datagram->counter;
	} else {
		if (last & MCAST_REPEATED)
			stream->ts_lost += 15;
		*kept = last ^ MCAST_REPEATED;
	}
}

/* The TS packet at `datagram->at`. */
MCAST_INLINE void mcast_take_ts_packet(const struct mcast_source *source,
				       struct mcast_stream *stream, struct mcast_datagram *datagram)
{
	uint32_t words[2], control;
	const uint8_t *packet = (const uint8_t *)words;
	bool is_discontinuous;

	if (!mcast_bytes(source, datagram->at, words, 6))
		return;
	datagram->pid = (packet[1] & 0x1fu) << 8 | packet[2];
	datagram->counter = packet[3] & 15;
	control = packet[3] >> 4 & 3;
	if (packet[1] & 0x80 || datagram->pid == MCAST_TS_NULL || !control)
		return;
	is_discontinuous = (control & 2) && packet[4] && packet[5] & 0x80;
	stream->ts_received++;
	mcast_find_pid(stream, datagram);
	if (datagram->place >= MCAST_PIDS)
		mcast_follow_pid(stream, datagram);
	else if (is_discontinuous)
		stream->continuity[datagram->place & 31] = datagram->counter;
	else
		mcast_take_continuity(stream, datagram, control & 1);
}

/* A datagram of whole TS packets. */
MCAST_INLINE void mcast_take_ts(const struct mcast_source *source, struct mcast_stream *stream,
				struct mcast_datagram *datagram)
{
	uint64_t i;

	datagram->at = datagram->payload;
	datagram->until = datagram->payload + datagram->length;
	for (i = 0; i < MCAST_TS_PACKETS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (datagram->at >= datagram->until)
			break;
		mcast_take_ts_packet(source, stream, datagram);
		MCAST_FORGET();
		datagram->at += MCAST_TS_PACKET;
	}
	MCAST_FORGET();
}

#endif
