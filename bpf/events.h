/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events: how a message is handed over to the agent. */
#ifndef MCAST_EVENTS_H
#define MCAST_EVENTS_H

#include "frame.h"
#include "guard.h"

/* Puts an event into its ring. */
MCAST_INLINE bool mcast_put(uint32_t ring, struct mcast_event *event, uint64_t size)
{
	if (ring == MCAST_RING_QUERY)
		return query_events.ringbuf_output(event, size, 0) == 0;
	if (ring == MCAST_RING_REPORT)
		return report_events.ringbuf_output(event, size, 0) == 0;
	return egress_events.ringbuf_output(event, size, 0) == 0;
}

MCAST_INLINE void mcast_copy_words(uint8_t *to, const uint8_t *from, uint32_t size)
{
	uint64_t *words = (uint64_t *)(void *)to;
	const uint64_t *there = (const uint64_t *)(const void *)from;
	uint32_t i;

#pragma unroll
	for (i = 0; i < size / 8; i++)
		words[i] = there[i];
}

/* Copies a frame of `half` to twice as many bytes as its first and its last `half`, which overlap;
 * false if it does not lie in one piece. */
MCAST_INLINE bool mcast_copy_halves(uint8_t *to, struct mcast_piece from, uint64_t size,
				    uint32_t half)
{
	uint64_t rest = size - half;
	const uint8_t *last;

	MCAST_KEEP(rest);
	if (rest > half)
		return false;
	last = from.data + rest;
	MCAST_KEEP(last);
	if (from.data + half > from.end || last + half > from.end)
		return false;
	mcast_copy_words(to, from.data, half);
	mcast_copy_words(to + rest, last, half);
	return true;
}

enum { MCAST_SHORT_FRAME = 128 };

/* An event whose frame is short, with all the room that one may need: what the agent reads is as
 * long as `event.captured` says. */
struct mcast_short_event {
	struct mcast_event event;
	uint8_t frame[MCAST_SHORT_FRAME];
};

MCAST_INLINE bool mcast_copy_short(uint8_t *to, const struct mcast_frame *frame, uint64_t size)
{
	struct mcast_piece piece = mcast_piece_of(frame);

	if (size <= MCAST_SHORT_FRAME / 2)
		return mcast_copy_halves(to, piece, size, MCAST_SHORT_FRAME / 4);
	return mcast_copy_halves(to, piece, size, MCAST_SHORT_FRAME / 2);
}

/* What an event says of its frame, but for how much of it is captured. */
MCAST_INLINE struct mcast_event mcast_event_of(const struct mcast_frame *frame,
					       const struct mcast_handing *handing, uint64_t at,
					       uint32_t length)
{
	return (struct mcast_event){
		.at = at,
		.ifindex = handing->ifindex,
		.length = length,
		.captured = length,
		.hook = (uint8_t)frame->hook,
		.fate = handing->fate,
		.message = frame->work->message,
	};
}

/* Writes a query of a short frame right into its ring: nearly every one is short. False if this one
 * is not, or lies in several pieces, or there is no room. */
MCAST_INLINE bool mcast_tell_short(const struct mcast_frame *frame,
				   const struct mcast_handing *handing, uint64_t at,
				   uint32_t length)
{
	struct mcast_short_event *there;

	if (length > MCAST_SHORT_FRAME)
		return false;
	there = query_events.ringbuf_reserve(sizeof(struct mcast_short_event));
	if (!there)
		return false;
	if (!mcast_copy_short(there->frame, frame, length)) {
		query_events.ringbuf_discard(there, 0);
		return false;
	}
	there->event = mcast_event_of(frame, handing, at, length);
	query_events.ringbuf_submit(there, 0);
	return true;
}

/* Lays any event out and hands it over; false if that could not be. */
MCAST_INLINE bool mcast_tell_any(const struct mcast_frame *frame, uint32_t ring,
				 const struct mcast_handing *handing, uint64_t at, uint32_t length)
{
	uint32_t hook = (uint32_t)frame->hook;
	struct mcast_scratch *lay_out = scratch.lookup(&hook);
	uint64_t size = length;

	if (size > MCAST_EVENT_FRAME)
		size = MCAST_EVENT_FRAME;
	if (!lay_out || !MCAST_IS_FROM_1_TO(size, MCAST_EVENT_FRAME) ||
	    mcast_load(frame, 0, lay_out->event_frame, size))
		return false;
	lay_out->event = mcast_event_of(frame, handing, at, length);
	lay_out->event.captured = (uint32_t)size;
	return mcast_put(ring, &lay_out->event, sizeof(struct mcast_event) + size);
}

MCAST_INLINE bool mcast_tell(const struct mcast_frame *frame, uint32_t ring,
			     const struct mcast_handing *handing)
{
	uint64_t at = bpf_ktime_get_ns(); /* first: it waits for all before it */
	uint32_t length = mcast_length(frame);

	return (ring == MCAST_RING_QUERY && mcast_tell_short(frame, handing, at, length)) ||
	       mcast_tell_any(frame, ring, handing, at, length);
}

/* Hands the frame over. False, and counted, if it could not be. */
MCAST_INLINE bool mcast_hand_over(const struct mcast_frame *frame, uint32_t ring,
				  const struct mcast_handing *handing,
				  struct mcast_counters *counted)
{
	bool done = mcast_tell(frame, ring, handing);

	if (done) {
		counted->events[ring]++;
		MCAST_FORGET(); /* as in mcast_count_protocol() */
	} else {
		counted->lost[ring][MCAST_LOST_RING_FULL]++;
	}
	return done;
}

/* Hands a message of this host over if the limits allow it. False, and counted, if it could not be. */
MCAST_INLINE bool mcast_deliver(const struct mcast_frame *frame, const struct mcast_policy *policy,
				struct mcast_handing *handing, struct mcast_counters *counted)
{
	if (mcast_may_pass(policy, MCAST_RING_EGRESS, handing))
		return mcast_hand_over(frame, MCAST_RING_EGRESS, handing, counted);
	counted->lost[MCAST_RING_EGRESS][MCAST_LOST_RATE_LIMITED]++;
	return false;
}

#endif
