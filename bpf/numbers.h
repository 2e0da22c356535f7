/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The arithmetic of sequence numbers: what was lost, came late, came twice, began anew. Each function
 * takes the number of the next packet of a stream.
 */
#ifndef MCAST_NUMBERS_H
#define MCAST_NUMBERS_H

#include "stream_abi.h"
#include "bytes.h"

enum {
	MCAST_WINDOW_NUMBERS = 64,
	MCAST_LONGEST_DROPOUT = 3000, /* MAX_DROPOUT of RFC 3550 §A.1 */
	MCAST_LONGEST_DELAY = 100,    /* MAX_MISORDER of RFC 3550 §A.1 */
	MCAST_LONGEST_BYTE_DELAY = 20 /* of 8-bit numbers (E1.31 §6.7.2) */
};

/* The lowest `count` bits. */
MCAST_INLINE uint64_t mcast_low_bits(uint64_t count)
{
	return count >= 64 ? ~0ull : (1ull << (count & 63)) - 1;
}

/* `bits`, moved up by `count` places. */
MCAST_INLINE uint64_t mcast_moved_up(uint64_t bits, uint64_t count)
{
	return count >= 64 ? 0 : bits << (count & 63);
}

MCAST_INLINE uint64_t mcast_bits_set(uint64_t bits)
{
	bits -= bits >> 1 & 0x5555555555555555;
	bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return bits * 0x0101010101010101 >> 56;
}

/* Counting begins with `number`. */
MCAST_INLINE void mcast_begin(struct mcast_stream *stream, uint64_t number)
{
	stream->highest = number;
	stream->latest = number;
	stream->window = 1;
	stream->span = 1;
	stream->is_begun = 1;
	stream->has_pending = 0;
	stream->received++;
	stream->leg.numbers = 1;
}

/* Numbers have gone on by `steps`, of which the last `came` are there. */
MCAST_INLINE void mcast_advance(struct mcast_stream *stream, uint64_t steps, uint64_t came)
{
	uint64_t span = stream->span + (steps < 64 ? steps : 64);

	stream->window = mcast_moved_up(stream->window, steps) | mcast_low_bits(came);
	stream->lost += steps - came;
	stream->received += came;
	stream->span = (uint8_t)(span < 64 ? span : 64);
}

/* A number `back` below the highest. */
MCAST_INLINE void mcast_take_late(struct mcast_stream *stream, uint64_t back)
{
	uint64_t bit = 1ull << (back & 63);

	if (back >= MCAST_WINDOW_NUMBERS)
		return;
	if (stream->window & bit) {
		stream->duplicates++;
		return;
	}
	stream->window |= bit;
	stream->reordered++;
	if (back < stream->span) {
		stream->lost--;
		stream->received++;
	}
}

/* Notes a number that is out of sequence, or somebody else's. */
MCAST_INLINE void mcast_put_off(struct mcast_stream *stream, uint64_t number, uint64_t identity,
				bool has_ts)
{
	stream->pending = number;
	stream->pending_identity = identity;
	stream->pending_has_ts = has_ts;
	stream->has_pending = 1;
	stream->leg.numbers = 0;
}

/* Two packets are in sequence: what they are is known. */
MCAST_INLINE void mcast_be_sequenced(struct mcast_stream *stream, bool had_ts)
{
	stream->is_sequenced = 1;
	stream->pair_had_ts = had_ts;
	stream->leg.numbers = 2;
}

/* Counting begins anew with the number that was put off, which `number` follows. */
MCAST_INLINE void mcast_believe(struct mcast_stream *stream, uint64_t number, bool has_ts)
{
	if (stream->is_sequenced)
		stream->resets++;
	else
		mcast_be_sequenced(stream, stream->pending_has_ts && has_ts);
	mcast_begin(stream, number);
	stream->leg.numbers = 2;
	stream->window = 3;
	stream->span = 2;
	stream->received++;
	stream->identity[0] = stream->pending_identity;
	stream->latest_has_ts = has_ts;
}

/* How many packets of `step` numbers a distance is; false if it is none, or `limit` or more. */
MCAST_INLINE bool mcast_is_packets(uint64_t *distance, uint64_t step, uint64_t limit)
{
	uint64_t packets = *distance;

	if (step != 1) {
		packets = *distance / step;
		if (packets * step != *distance)
			return false;
	}
	*distance = packets;
	return packets < limit;
}

/* A number of as many bits as `mask` has, 16 or more (RFC 3550 §A.1 and §A.3). */
MCAST_INLINE void mcast_take_number(struct mcast_stream *stream, uint64_t number, uint64_t mask,
				    uint64_t identity, bool has_ts)
{
	uint64_t step = stream->step ? stream->step : 1, ahead, back;

	if (!stream->is_begun) {
		mcast_begin(stream, number);
		stream->identity[0] = identity;
		stream->latest_has_ts = has_ts;
		return;
	}
	if (stream->has_pending && stream->pending_identity == identity &&
	    ((number - stream->pending) & mask) == step) {
		mcast_believe(stream, number, has_ts);
		return;
	}
	ahead = (number - stream->highest) & mask;
	back = (stream->highest - number) & mask;
	if (stream->identity[0] != identity ||
	    (ahead && ahead < back ? !mcast_is_packets(&ahead, step, MCAST_LONGEST_DROPOUT) :
				     !mcast_is_packets(&back, step, MCAST_LONGEST_DELAY))) {
		mcast_put_off(stream, number, identity, has_ts);
		return;
	}
	stream->has_pending = 0;
	stream->leg.numbers = 1;
	if (!stream->is_sequenced && ((number - stream->latest) & mask) == step)
		mcast_be_sequenced(stream, stream->latest_has_ts && has_ts);
	stream->latest = number;
	stream->latest_has_ts = has_ts;
	if (((number - stream->highest) & mask) && ahead < back) {
		mcast_advance(stream, ahead, 1);
		stream->highest = number;
	} else {
		mcast_take_late(stream, back);
	}
}

/* A number of 8 bits, of the one who is told by `identity` (E1.31 §6.7.2). */
MCAST_INLINE void mcast_take_byte(struct mcast_stream *stream, uint8_t number,
				  const uint64_t identity[3])
{
	uint64_t step = stream->step ? stream->step : 1;
	uint64_t ahead = (uint8_t)(number - stream->highest);
	uint64_t back = (uint8_t)(stream->highest - number);
	bool is_late = ahead == 0 || ahead > 127, is_other;

	is_other = stream->identity[0] != identity[0] || stream->identity[1] != identity[1] ||
		   stream->identity[2] != identity[2] ||
		   (is_late ? !mcast_is_packets(&back, step, MCAST_LONGEST_BYTE_DELAY) :
			      !mcast_is_packets(&ahead, step, 128));
	if (!stream->is_begun || is_other) {
		if (stream->is_begun)
			stream->resets++;
		mcast_begin(stream, number);
		stream->identity[0] = identity[0];
		stream->identity[1] = identity[1];
		stream->identity[2] = identity[2];
	} else if (is_late) {
		mcast_take_late(stream, back);
	} else {
		mcast_advance(stream, ahead, 1);
		stream->highest = number;
	}
}

/* Messages that came late, `count` of them, the first `back` below the highest number. */
MCAST_INLINE void mcast_take_late_messages(struct mcast_stream *stream, uint64_t back,
					   uint64_t count)
{
	uint64_t to = back - (count - 1), which, missing;

	if (to >= MCAST_WINDOW_NUMBERS)
		return;
	which = mcast_low_bits(back + 1) & ~mcast_low_bits(to);
	missing = which & ~stream->window;
	if (!missing) {
		stream->duplicates++;
		return;
	}
	stream->reordered++;
	stream->window |= which;
	missing = mcast_bits_set(missing & mcast_low_bits(stream->span));
	stream->lost -= missing;
	stream->received += missing;
}

/* `count` messages, the first of them `number`, of the session that is told by two words. A heartbeat
 * has none. */
MCAST_INLINE void mcast_take_messages(struct mcast_stream *stream, uint64_t number, uint64_t count,
				      uint64_t session, uint64_t session_end)
{
	int64_t ahead;
	uint64_t late;

	if (!stream->is_begun || stream->identity[0] != session ||
	    stream->identity[1] != session_end) {
		if (stream->is_begun)
			stream->resets++;
		mcast_begin(stream, number - 1);
		stream->received--;
		stream->window = 0;
		stream->span = 0;
		stream->identity[0] = session;
		stream->identity[1] = session_end;
	}
	ahead = (int64_t)(number - (stream->highest + 1));
	if (ahead < 0) {
		late = (uint64_t)-ahead < count ? (uint64_t)-ahead : count;
		if (late)
			mcast_take_late_messages(stream, (uint64_t)-ahead - 1, late);
		count -= late;
		ahead = 0;
		if (!count)
			return;
	}
	mcast_advance(stream, (uint64_t)ahead + count, count);
	stream->highest += (uint64_t)ahead + count;
}

#endif
