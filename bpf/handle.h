/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is done with a control packet once it is classified: count, decide, hand over. */
#ifndef MCAST_HANDLE_H
#define MCAST_HANDLE_H

#include "frame.h"

/* What is handed over besides the frame. */
struct mcast_handing {
	uint32_t ring;
	uint32_t ifindex;
	uint64_t now; /* to within a tick; 0 until somebody needs it: see mcast_now() */
	uint8_t fate;
};

/* The time to within a tick of the system, ns of CLOCK_MONOTONIC: for limits and heartbeats. The
 * exact one costs three times as much, and is asked for events only. */
MCAST_INLINE uint64_t mcast_now(struct mcast_handing *handing)
{
	if (!handing->now)
		handing->now = bpf_ktime_get_coarse_ns();
	return handing->now;
}

MCAST_INLINE bool mcast_is_mld(uint8_t kind)
{
	return kind >= MCAST_MLD_QUERY_1;
}

/* An address of the IP header, destination or source, as a key; false if it cannot be read. */
MCAST_INLINE bool mcast_key_of(const struct mcast_frame *frame, const struct mcast_message *message,
			       bool destination, struct mcast_assigned *key)
{
	const uint8_t *ip;

	if (mcast_is_mld(message->kind)) {
		ip = mcast_at(frame, message->network, MCAST_IPV6_HEADER);
		if (!ip)
			return false;
		__builtin_memcpy(key->address, ip + (destination ? 24 : 8), 16);
	} else {
		ip = mcast_at(frame, message->network, MCAST_IPV4_HEADER);
		if (!ip)
			return false;
		__builtin_memcpy(key->address, ip + (destination ? 16 : 12), 4);
	}
	return true;
}

/* Whether the address of the IP header is assigned to the interface; destination or source. */
MCAST_INLINE bool mcast_is_assigned(const struct mcast_frame *frame,
				    const struct mcast_message *message, uint32_t ifindex,
				    bool destination)
{
	struct mcast_assigned key = {.ifindex = ifindex};
	uint32_t *value;

	if (!mcast_key_of(frame, message, destination, &key))
		return false;
	value = assigned.lookup(&key);
	return value && (*value & MCAST_ASSIGNED);
}

/* Whether another host's older report matters: its group's own report is due. */
MCAST_INLINE bool mcast_suppresses(const struct mcast_frame *frame,
				   const struct mcast_message *message, uint32_t ifindex)
{
	struct mcast_assigned key = {.ifindex = ifindex};
	const uint8_t *group;
	uint32_t *value;

	if (message->reason != MCAST_ACCEPTED)
		return false;
	if (message->kind == MCAST_MLD_REPORT_1) {
		group = mcast_at(frame, message->message + 8u, 16);
		if (!group)
			return false;
		__builtin_memcpy(key.address, group, 16);
	} else if (message->kind == MCAST_IGMP_REPORT_1 || message->kind == MCAST_IGMP_REPORT_2) {
		group = mcast_at(frame, message->message + 4u, 4);
		if (!group)
			return false;
		__builtin_memcpy(key.address, group, 4);
	} else {
		return false;
	}
	value = assigned.lookup(&key);
	return value && (*value & MCAST_DELAYING);
}

/* The bit of a unicast address in `mcast_policy.own`: all its bytes, exclusive or, modulo 32. Of
 * those that are not ours, most are told at once by theirs. */
MCAST_INLINE uint32_t mcast_own_bit(uint32_t word)
{
	word ^= word >> 16;
	return 1u << ((word ^ word >> 8) & 31);
}

/* Whether the source may be one of ours. */
MCAST_INLINE bool mcast_may_be_own(const struct mcast_frame *frame,
				   const struct mcast_message *message,
				   const struct mcast_policy *policy)
{
	const uint8_t *ip;

	if (!mcast_is_mld(message->kind)) {
		ip = mcast_at(frame, message->network, MCAST_IPV4_HEADER);
		return ip && (policy->own & mcast_own_bit(mcast_word(ip + 12)));
	}
	ip = mcast_at(frame, message->network, MCAST_IPV6_HEADER);
	return ip && (policy->own & mcast_own_bit(mcast_word(ip + 8) ^ mcast_word(ip + 12) ^
						  mcast_word(ip + 16) ^ mcast_word(ip + 20)));
}

/* Settles what the classifier could not know: which addresses are ours. */
MCAST_INLINE void mcast_check_addresses(const struct mcast_frame *frame,
					const struct mcast_policy *policy, uint32_t ifindex,
					struct mcast_message *message)
{
	if (mcast_destination_matters(message) && !mcast_is_assigned(frame, message, ifindex, true))
		message->reason = MCAST_BAD_DESTINATION;
	if (mcast_source_matters(message) && mcast_may_be_own(frame, message, policy) &&
	    mcast_is_assigned(frame, message, ifindex, false))
		message->reason = MCAST_LOOPBACK;
}

/* Counts by protocol. The barrier keeps LLVM 14 from making one count of the two at a place that it
 * computes, which the verifier refuses to those without CAP_PERFMON. */
MCAST_INLINE void mcast_count_protocol(uint64_t count[2], const struct mcast_message *message)
{
	if (mcast_is_mld(message->kind)) {
		count[1]++;
		MCAST_FORGET();
	} else {
		count[0]++;
	}
}

MCAST_INLINE void mcast_count(struct mcast_counters *counters, uint32_t direction,
			      const struct mcast_message *message)
{
	uint32_t kind = message->kind & 15, reason = message->reason & 15;

	if (reason == MCAST_ACCEPTED) {
		counters->accepted[direction][kind]++;
		MCAST_FORGET(); /* as in mcast_count_protocol() */
	} else if (mcast_is_mld(kind)) {
		counters->rejected[direction][16 + reason]++;
		MCAST_FORGET();
	} else {
		counters->rejected[direction][reason]++;
	}
}

/* Takes a token. Two CPUs at the same moment may both get the last one, which does no harm. */
MCAST_INLINE bool mcast_take(const struct mcast_limit *limit, uint64_t *next, uint64_t now)
{
	uint64_t due = *next;

	if (due < now)
		due = now;
	if (due - now > limit->burst)
		return false;
	*next = due + limit->interval;
	return true;
}

MCAST_INLINE bool mcast_may_pass(const struct mcast_policy *policy, uint32_t ring, uint64_t now)
{
	struct mcast_pace *pace = paces.lookup((uint32_t *)&policy->slot);

	if (!policy->limit[ring].interval || !pace)
		return true;
	return mcast_take(&policy->limit[ring], &pace->due[ring], now);
}

/* Whether a query comes from a querier that is known, and not faster than one may ask. */
MCAST_INLINE bool mcast_is_known(const struct mcast_frame *frame, const struct mcast_policy *policy,
				 const struct mcast_message *message,
				 struct mcast_handing *handing)
{
	struct mcast_assigned key = {.ifindex = handing->ifindex};
	struct mcast_querier *querier;

	if (message->reason != MCAST_ACCEPTED || !mcast_key_of(frame, message, false, &key))
		return false;
	querier = queriers.lookup(&key);
	return querier && mcast_take(&policy->known, &querier->due, mcast_now(handing));
}

/* Copies the frame behind the event's head; `room` is a constant. */
MCAST_INLINE bool mcast_fill(struct mcast_event *event, const struct mcast_frame *frame,
			     uint32_t ifindex, const struct mcast_message *message, uint8_t fate,
			     uint32_t room)
{
	uint64_t size = frame->work->length;

	if (size > room)
		size = room;
	MCAST_KEEP(size);
	if (size == 0 || size > room)
		return false;
	event->at = bpf_ktime_get_ns();
	event->ifindex = ifindex;
	event->length = frame->work->length;
	event->captured = (uint32_t)size;
	event->hook = (uint8_t)frame->hook;
	event->fate = fate;
	event->reserved[0] = 0;
	event->reserved[1] = 0;
	event->message = *message;
	if (room <= MCAST_WINDOW) { /* as many bytes, whatever they are, without a call */
		__builtin_memcpy(event + 1, frame->window, room);
		return true;
	}
	return mcast_load(frame, 0, event + 1, size) == 0;
}

/* Room in a ring for an event and `room` bytes of frame, a constant; NULL if it is full. */
MCAST_INLINE struct mcast_event *mcast_reserve(uint32_t ring, uint32_t room)
{
	if (ring == MCAST_RING_QUERY)
		return query_events.ringbuf_reserve(sizeof(struct mcast_event) + room);
	if (ring == MCAST_RING_REPORT)
		return report_events.ringbuf_reserve(sizeof(struct mcast_event) + room);
	return egress_events.ringbuf_reserve(sizeof(struct mcast_event) + room);
}

MCAST_INLINE bool mcast_hand_over_sized(const struct mcast_frame *frame,
					const struct mcast_message *message,
					const struct mcast_handing *handing, uint32_t room)
{
	struct mcast_event *event = mcast_reserve(handing->ring, room);

	if (!event)
		return false;
	if (mcast_fill(event, frame, handing->ifindex, message, handing->fate, room)) {
		query_events.ringbuf_submit(event, 0);
		return true;
	}
	query_events.ringbuf_discard(event, 0);
	return false;
}

/* Hands the frame over; the ring takes events of three sizes, as the verifier wants constants.
 * False, and counted, if it could not be. */
MCAST_INLINE bool mcast_hand_over(const struct mcast_frame *frame,
				  const struct mcast_message *message,
				  const struct mcast_handing *handing,
				  struct mcast_counters *counted)
{
	bool done;

	if (frame->work->length <= MCAST_SMALL_FRAME)
		done = mcast_hand_over_sized(frame, message, handing, MCAST_SMALL_FRAME);
	else if (frame->work->length <= MCAST_USUAL_FRAME)
		done = mcast_hand_over_sized(frame, message, handing, MCAST_USUAL_FRAME);
	else
		done = mcast_hand_over_sized(frame, message, handing, MCAST_JUMBO_FRAME);
	if (done) {
		counted->events[handing->ring]++;
		MCAST_FORGET(); /* as in mcast_count_protocol() */
	} else {
		counted->lost[handing->ring][MCAST_LOST_RING_FULL]++;
	}
	return done;
}

/* Hands the frame over as fast as the policy allows. False, and counted, if it could not be. */
MCAST_INLINE bool mcast_deliver(const struct mcast_frame *frame,
				const struct mcast_message *message,
				const struct mcast_policy *policy, struct mcast_handing *handing,
				struct mcast_counters *counted)
{
	if (mcast_may_pass(policy, handing->ring, mcast_now(handing)))
		return mcast_hand_over(frame, message, handing, counted);
	counted->lost[handing->ring][MCAST_LOST_RATE_LIMITED]++;
	return false;
}

/* Whether the agent speaks for this host now: host mode, and it is alive. */
MCAST_INLINE bool mcast_is_acting(const struct mcast_policy *policy, struct mcast_handing *handing)
{
	uint32_t first = 0;
	uint64_t *until;

	if (!(policy->switches & MCAST_HOST_MODE))
		return false;
	until = heartbeat.lookup(&first);
	return until && mcast_now(handing) < *until;
}

/* A message in a VLAN is not this interface's own business; a tag 0 is only a priority. */
MCAST_INLINE bool mcast_is_in_vlan(const struct mcast_message *message)
{
	return (message->tags > 0 && message->vlan[0]) || (message->tags > 1 && message->vlan[1]);
}

/* Hands a message from outside over if somebody wants it and the limits allow it; it is counted
 * against them, too, if that decides what reaches the kernel. False if it is beyond them. */
MCAST_INLINE bool mcast_admit(const struct mcast_frame *frame, const struct mcast_policy *policy,
			      const struct mcast_message *message, struct mcast_handing *handing,
			      bool guarded, struct mcast_counters *counted)
{
	bool query = mcast_is_query(message->kind);
	bool wanted = query || (policy->switches & MCAST_HAND_OVER_REPORTS) ||
		      mcast_suppresses(frame, message, handing->ifindex);

	if (!wanted && !guarded)
		return true;
	handing->ring = query ? MCAST_RING_QUERY : MCAST_RING_REPORT;
	if ((query && mcast_is_known(frame, policy, message, handing)) ||
	    mcast_may_pass(policy, handing->ring, mcast_now(handing))) {
		if (wanted)
			mcast_hand_over(frame, message, handing, counted);
		return true;
	}
	if (wanted)
		counted->lost[handing->ring][MCAST_LOST_RATE_LIMITED]++;
	MCAST_FORGET(); /* as in mcast_count_protocol() */
	return false;
}

/* A message from outside. True if it is to be kept from the kernel: an older query, be it good or
 * not, because the kernel would fall back to that version and no longer report its sources; and
 * what is beyond the limits, because a flood is the agent's to deal with. */
MCAST_INLINE bool mcast_from_outside(const struct mcast_frame *frame,
				     const struct mcast_policy *policy,
				     struct mcast_message *message, struct mcast_handing *handing,
				     struct mcast_counters *counted)
{
	bool acting, admitted;

	mcast_check_addresses(frame, policy, handing->ifindex, message);
	MCAST_FORGET();
	mcast_count(counted, MCAST_RX, message);
	acting = !mcast_is_in_vlan(message) && mcast_is_acting(policy, handing);
	admitted = mcast_admit(frame, policy, message, handing,
			       acting && (policy->switches & MCAST_DISCARD_FLOODS), counted);
	if (!acting)
		return false;
	if (message->kind == MCAST_IGMP_QUERY_1 || message->kind == MCAST_IGMP_QUERY_2 ||
	    message->kind == MCAST_MLD_QUERY_1) {
		mcast_count_protocol(counted->consumed, message);
		return true;
	}
	if (admitted || !(policy->switches & MCAST_DISCARD_FLOODS))
		return false;
	if (handing->ring == MCAST_RING_QUERY) {
		mcast_count_protocol(counted->discarded[MCAST_RING_QUERY], message);
		MCAST_FORGET(); /* as in mcast_count_protocol() */
	} else {
		mcast_count_protocol(counted->discarded[MCAST_RING_REPORT], message);
	}
	return true;
}

MCAST_INLINE bool mcast_is_own(const struct mcast_frame *frame)
{
	uint64_t cookie = bpf_get_socket_cookie(frame->context);

	return own_sockets.lookup(&cookie) != NULL;
}

/* A message that leaves this host. True if it is to be held back: a report or leave of the kernel's
 * own, which the agent has been told of and speaks for. */
MCAST_INLINE bool mcast_from_inside(const struct mcast_frame *frame,
				    const struct mcast_policy *policy,
				    const struct mcast_message *message,
				    struct mcast_handing *handing, struct mcast_counters *counted)
{
	bool hold_back;

	handing->ring = MCAST_RING_EGRESS;
	if (mcast_is_own(frame)) {
		handing->fate = MCAST_OWN;
		mcast_count(counted, MCAST_TX, message);
		if (policy->switches & MCAST_HAND_OVER_REPORTS)
			mcast_deliver(frame, message, policy, handing, counted);
		return false;
	}
	hold_back = !mcast_is_query(message->kind) && message->kind != MCAST_IGMP_OTHER &&
		    !mcast_is_in_vlan(message) && mcast_is_acting(policy, handing);
	handing->fate = hold_back ? MCAST_HELD_BACK : MCAST_PASSED;
	/* What could not be told must go out: no group may be lost. */
	if (mcast_deliver(frame, message, policy, handing, counted) && hold_back) {
		mcast_count_protocol(counted->held_back, message);
		return true;
	}
	mcast_count(counted, MCAST_TX, message);
	return false;
}

/* True if the packet must not pass. */
MCAST_INLINE bool mcast_handle(const struct mcast_frame *frame, uint32_t ifindex, uint16_t vlan,
			       bool tagged)
{
	struct mcast_handing handing = {.ifindex = ifindex};
	struct mcast_policy *policy = policies.lookup(&ifindex);
	struct mcast_message *message = &frame->work->message;
	struct mcast_counters *counted;
	uint32_t slot;

	if (!policy)
		return false;
	slot = policy->slot;
	counted = counters.lookup(&slot);
	if (!counted)
		return false;
	mcast_classify(frame, &policy->rules);
	MCAST_FORGET();
	if (message->kind == MCAST_NOT_CONTROL)
		return false;
	if (tagged) { /* a tag that the driver has taken out of the frame */
		message->vlan[1] = message->vlan[0];
		message->vlan[0] = vlan;
		if (message->tags < 2) /* of three tags the innermost is not told */
			message->tags++;
	}
	MCAST_FORGET();
	if (frame->hook == MCAST_HOOK_EGRESS)
		return mcast_from_inside(frame, policy, message, &handing, counted);
	return mcast_from_outside(frame, policy, message, &handing, counted);
}

#endif
