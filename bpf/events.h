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

/* Lays the event out and hands it over; false if that could not be. */
MCAST_INLINE bool mcast_tell(const struct mcast_frame *frame, const struct mcast_handing *handing)
{
	uint64_t at = bpf_ktime_get_ns(); /* first: it waits for all before it */
	uint32_t hook = (uint32_t)frame->hook, length = mcast_length(frame);
	struct mcast_scratch *lay_out = scratch.lookup(&hook);
	uint64_t size = length;

	if (size > MCAST_EVENT_FRAME)
		size = MCAST_EVENT_FRAME;
	MCAST_KEEP(size);
	if (!lay_out || size == 0 || size > MCAST_EVENT_FRAME ||
	    mcast_load(frame, 0, lay_out->event_frame, size))
		return false;
	lay_out->event = (struct mcast_event){
		.at = at,
		.ifindex = handing->ifindex,
		.length = length,
		.captured = (uint32_t)size,
		.hook = (uint8_t)frame->hook,
		.fate = handing->fate,
		.message = lay_out->work.message,
	};
	return mcast_put(handing->ring, &lay_out->event, sizeof(struct mcast_event) + size);
}

/* Hands the frame over. False, and counted, if it could not be. */
MCAST_INLINE bool mcast_hand_over(const struct mcast_frame *frame,
				  const struct mcast_handing *handing,
				  struct mcast_counters *counted)
{
	bool done = mcast_tell(frame, handing);

	if (done) {
		counted->events[handing->ring]++;
		MCAST_FORGET(); /* as in mcast_count_protocol() */
	} else {
		counted->lost[handing->ring][MCAST_LOST_RING_FULL]++;
	}
	return done;
}

/* Hands a message of this host over if the limits allow it. False, and counted, if it could not be. */
MCAST_INLINE bool mcast_deliver(const struct mcast_frame *frame, const struct mcast_policy *policy,
				struct mcast_handing *handing, struct mcast_counters *counted)
{
	if (mcast_may_pass(policy, handing))
		return mcast_hand_over(frame, handing, counted);
	counted->lost[handing->ring][MCAST_LOST_RATE_LIMITED]++;
	return false;
}

#endif
