/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The way of a frame through the programs: classify, then what its direction does with it. */
#ifndef MCAST_HANDLE_H
#define MCAST_HANDLE_H

#include "egress.h"
#include "ingress.h"

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
	struct mcast_handing handing = { .ifindex = ifindex };
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
	/* A question of the agent's to this kernel alone: nobody's event, wherever the hook is; one to
	 * itself comes out of the ring, and is counted nowhere. */
	if (frame->hook != MCAST_HOOK_EGRESS && mcast_is_query(message->kind) &&
	    mcast_is_sent_by(frame, policy->asking)) {
		handing.fate = MCAST_PROBE;
		if (mcast_has_hardware(frame, 0, policy->asking))
			mcast_tell(frame, MCAST_RING_QUERY, &handing);
		return false;
	}
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
