/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is done with a control packet once it is classified: count, decide, hand over. */
#ifndef MCAST_HANDLE_H
#define MCAST_HANDLE_H

#include "events.h"
#include "usual.h"
#include "walk.h"

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

/* A message in a VLAN is not this interface's own business; a tag 0 is only a priority. */
MCAST_INLINE bool mcast_is_in_vlan(const struct mcast_message *message)
{
	return (message->tags > 0 && message->vlan[0]) || (message->tags > 1 && message->vlan[1]);
}

/* Hands a query from outside over if the limits allow it; false if it is beyond them. */
MCAST_INLINE bool mcast_admit_query(const struct mcast_frame *frame,
				    const struct mcast_policy *policy,
				    struct mcast_handing *handing, struct mcast_counters *counted)
{
	if (mcast_query_may_pass(frame, policy, handing)) {
		mcast_hand_over(frame, MCAST_RING_QUERY, handing, counted);
		return true;
	}
	counted->lost[MCAST_RING_QUERY][MCAST_LOST_RATE_LIMITED]++;
	MCAST_FORGET(); /* as in mcast_count_protocol() */
	return false;
}

/* Hands any other message from outside over if somebody wants it and the limits allow it; it is
 * counted against them, too, if that decides what reaches the kernel: if it is `guarded`. False if it
 * is beyond them. */
MCAST_INLINE bool mcast_admit_report(const struct mcast_frame *frame,
				     const struct mcast_policy *policy,
				     struct mcast_handing *handing, bool guarded,
				     struct mcast_counters *counted)
{
	bool wanted = (policy->switches & MCAST_HAND_OVER_REPORTS) ||
		      mcast_suppresses(frame->work, handing->ifindex);

	if (!wanted && !guarded)
		return true;
	if (mcast_may_pass(policy, MCAST_RING_REPORT, handing)) {
		if (wanted)
			mcast_hand_over(frame, MCAST_RING_REPORT, handing, counted);
		return true;
	}
	if (wanted)
		counted->lost[MCAST_RING_REPORT][MCAST_LOST_RATE_LIMITED]++;
	MCAST_FORGET(); /* as in mcast_count_protocol() */
	return false;
}

/* Counts a message that is kept from the kernel because it is beyond the limits. */
MCAST_INLINE void mcast_count_discarded(struct mcast_counters *counted,
					const struct mcast_message *message)
{
	if (mcast_is_query(message->kind)) {
		mcast_count_protocol(counted->discarded[MCAST_RING_QUERY], message);
		MCAST_FORGET(); /* as in mcast_count_protocol() */
	} else {
		mcast_count_protocol(counted->discarded[MCAST_RING_REPORT], message);
	}
}

/* Whether a message that another program will look at, which is told its VLAN, is to be kept from
 * both: only floods are. */
MCAST_INLINE bool mcast_from_outside_first(const struct mcast_frame *frame,
					   const struct mcast_policy *policy,
					   const struct mcast_message *message,
					   struct mcast_handing *handing,
					   struct mcast_counters *counted)
{
	if (!(policy->switches & MCAST_DISCARD_FLOODS) || mcast_is_in_vlan(message) ||
	    !mcast_is_acting(policy, handing))
		return false;
	if (mcast_is_query(message->kind)) {
		if (mcast_query_may_pass(frame, policy, handing))
			return false;
		counted->lost[MCAST_RING_QUERY][MCAST_LOST_RATE_LIMITED]++;
		MCAST_FORGET(); /* as in mcast_count_protocol() */
	} else if (mcast_may_pass(policy, MCAST_RING_REPORT, handing)) {
		return false;
	}
	mcast_count_discarded(counted, message);
	return true;
}

/* A message from outside. True if it is to be kept from the kernel: an older query, be it good or
 * not, because the kernel would fall back to that version and no longer report its sources; and
 * what is beyond the limits, because a flood is the agent's to deal with. */
MCAST_INLINE bool mcast_from_outside(const struct mcast_frame *frame,
				     const struct mcast_policy *policy,
				     struct mcast_message *message, struct mcast_handing *handing,
				     struct mcast_counters *counted)
{
	bool acting, guarded, admitted, query;

	mcast_check_addresses(frame->work, policy, handing->ifindex);
	MCAST_FORGET();
	if (handing->stage != MCAST_STAGE_SECOND)
		mcast_count(counted, MCAST_RX, message);
	MCAST_FORGET();
	if (frame->hook == MCAST_HOOK_XDP && (policy->switches & MCAST_TAGS_TAKEN_OUT))
		return mcast_from_outside_first(frame, policy, message, handing, counted);
	acting = !mcast_is_in_vlan(message) && mcast_is_acting(policy, handing);
	guarded = acting && (policy->switches & MCAST_DISCARD_FLOODS);
	query = mcast_is_query(message->kind);
	if (query)
		admitted = mcast_admit_query(frame, policy, handing, counted);
	else
		admitted = mcast_admit_report(frame, policy, handing, guarded, counted);
	if (!acting)
		return false;
	if (message->kind == MCAST_IGMP_QUERY_1 || message->kind == MCAST_IGMP_QUERY_2 ||
	    message->kind == MCAST_MLD_QUERY_1 || frame->work->unclear) {
		mcast_count_protocol(counted->consumed, message);
		return true;
	}
	if (admitted || !guarded)
		return false;
	mcast_count_discarded(counted, message);
	return true;
}

/* Whether a frame in which no message was found is to be kept from the kernel, which may understand it
 * further: see enum mcast_unclear. */
MCAST_INLINE bool mcast_keeps_unclear(const struct mcast_frame *frame,
				      const struct mcast_policy *policy,
				      struct mcast_handing *handing, struct mcast_counters *counted)
{
	uint8_t unclear = frame->work->unclear;

	if (!unclear || mcast_is_in_vlan(&frame->work->message) ||
	    (frame->hook == MCAST_HOOK_XDP && (policy->switches & MCAST_TAGS_TAKEN_OUT)) ||
	    !mcast_is_acting(policy, handing))
		return false;
	if (unclear == MCAST_UNCLEAR_MLD) {
		counted->consumed[1]++;
		MCAST_FORGET(); /* as in mcast_count_protocol() */
	} else {
		counted->consumed[0]++;
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

	if (mcast_is_own(frame)) {
		handing->fate = MCAST_OWN;
		mcast_count(counted, MCAST_TX, message);
		if (policy->switches & MCAST_HAND_OVER_REPORTS)
			mcast_deliver(frame, policy, handing, counted);
		return false;
	}
	hold_back = !mcast_is_query(message->kind) && message->kind != MCAST_IGMP_OTHER &&
		    !mcast_is_in_vlan(message) && mcast_is_acting(policy, handing);
	handing->fate = hold_back ? MCAST_HELD_BACK : MCAST_PASSED;
	/* What could not be told must go out: no group may be lost. */
	if (mcast_deliver(frame, policy, handing, counted) && hold_back) {
		mcast_count_protocol(counted->held_back, message);
		return true;
	}
	mcast_count(counted, MCAST_TX, message);
	return false;
}

MCAST_INLINE void mcast_clear(struct mcast_work *work)
{
	__builtin_memset(work, 0, __builtin_offsetof(struct mcast_work, source));
	MCAST_FORGET();
}

/* Classifies the frame, of which as much as lies in one piece is from `data` to `end`, and whose type
 * is `type` by mcast_type_of_control(); false if it cannot be read. */
MCAST_INLINE bool mcast_classify(struct mcast_frame *frame, uint16_t type, const uint8_t *data,
			     const uint8_t *end, const struct mcast_rules *rules)
{
	uint64_t size;

	mcast_clear(frame->work);
	if (!mcast_is_usual(frame->work, type, data, end)) {
		mcast_clear(frame->work);
		size = mcast_length(frame);
		frame->work->length = (uint32_t)size;
		if (size > MCAST_WINDOW)
			size = MCAST_WINDOW;
		if (!MCAST_IS_FROM_1_TO(size, MCAST_WINDOW) ||
		    mcast_load(frame, 0, (void *)frame->window, size))
			return false;
		frame->work->readable = (uint32_t)size;
		MCAST_FORGET();
		mcast_walk(frame, rules);
	}
	MCAST_FORGET();
	mcast_judge(frame, rules);
	return true;
}

/* The policy of an interface; NULL if it is none of ours. */
MCAST_INLINE struct mcast_policy *mcast_policy_of(uint32_t ifindex)
{
	uint32_t i, *place, index = ifindex & (MCAST_PLACES - 1);
	struct mcast_policy *policy = policies.lookup(&index);

	for (i = 1; policy && policy->ifindex != ifindex && i < MCAST_PLACES_TRIED; i++) {
		MCAST_KEEP(i);
		index = (ifindex + i) & (MCAST_PLACES - 1);
		policy = policies.lookup(&index);
	}
	if (policy && policy->ifindex == ifindex)
		return policy;
	place = elsewhere.lookup(&ifindex);
	if (!place)
		return NULL;
	index = *place;
	policy = policies.lookup(&index);
	return policy && policy->ifindex == ifindex ? policy : NULL;
}

/* What is to be done with a frame that may be control, of type `type`. True if it must not pass. */
MCAST_INLINE bool mcast_handle(struct mcast_frame *frame, uint16_t type, const uint8_t *data,
			       const uint8_t *end, uint32_t ifindex, uint16_t vlan, bool tagged)
{
	struct mcast_handing handing = {.ifindex = ifindex};
	uint32_t hook = (uint32_t)frame->hook;
	struct mcast_scratch *lay_out;
	struct mcast_policy *policy = mcast_policy_of(ifindex);
	struct mcast_message *message;
	struct mcast_counters *counted;

	if (!policy)
		return false;
	handing.slot = policy->slot;
	if (frame->hook == MCAST_HOOK_INGRESS && (policy->switches & MCAST_TAGS_TAKEN_OUT))
		handing.stage = MCAST_STAGE_SECOND;
	counted = counters.lookup(&handing.slot);
	lay_out = scratch.lookup(&hook);
	if (!counted || !lay_out)
		return false;
	handing.tick = &lay_out->tick;
	frame->work = &lay_out->work;
	frame->window = lay_out->window;
	message = &lay_out->work.message;
	if (!mcast_classify(frame, type, data, end, &policy->rules))
		return false;
	MCAST_FORGET();
	if (tagged) { /* a tag that the driver has taken out of the frame */
		message->vlan[1] = message->vlan[0];
		message->vlan[0] = vlan;
		if (message->tags < 2) /* of three tags the innermost is not told */
			message->tags++;
	}
	MCAST_FORGET();
	if (message->kind == MCAST_NOT_CONTROL)
		return frame->hook != MCAST_HOOK_EGRESS &&
		       mcast_keeps_unclear(frame, policy, &handing, counted);
	if (frame->hook == MCAST_HOOK_EGRESS)
		return mcast_from_inside(frame, policy, message, &handing, counted);
	return mcast_from_outside(frame, policy, message, &handing, counted);
}

#endif
