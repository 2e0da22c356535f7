/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is done with a control packet from outside once it is classified: count, decide, hand over. */
#ifndef MCAST_INGRESS_H
#define MCAST_INGRESS_H

#include "count.h"

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

/* Whether the frame went to a multicast or broadcast address: a report to this host alone was heard by
 * no querier, and suppresses nothing. */
MCAST_INLINE bool mcast_went_to_many(const struct mcast_frame *frame)
{
	uint8_t first = 0;

	return !mcast_load(frame, 0, &first, sizeof(first)) && (first & 1);
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
		      (mcast_suppresses(frame->work, handing->ifindex) &&
		       mcast_went_to_many(frame));

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

/* Whether a query is to be kept from the kernel: an older one, be it good or not, where the kernel is
 * not to fall back to that version; one that is refused, where the kernel is to be as strict. */
MCAST_INLINE bool mcast_is_consumed(const struct mcast_policy *policy,
				    const struct mcast_work *work)
{
	uint8_t kind = work->message.kind;

	if (kind == MCAST_IGMP_QUERY_1 || kind == MCAST_IGMP_QUERY_2 ||
	    (work->unclear && work->unclear != MCAST_UNCLEAR_MLD))
		if (policy->switches & MCAST_CONSUME_IGMP)
			return true;
	if (kind == MCAST_MLD_QUERY_1 || work->unclear == MCAST_UNCLEAR_MLD)
		if (policy->switches & MCAST_CONSUME_MLD)
			return true;
	return mcast_is_query(kind) && work->message.reason != MCAST_ACCEPTED &&
	       (policy->switches & MCAST_STRICT_KERNEL);
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

/* Refuses a query that is of none of the queriers that are named, if it is not refused already. A
 * second program takes back what the first, which knew no VLAN, has counted. */
MCAST_INLINE void mcast_refuse_unlisted(struct mcast_message *message,
					const struct mcast_handing *handing,
					struct mcast_counters *counted)
{
	if (message->reason != MCAST_ACCEPTED)
		return;
	message->reason = MCAST_UNLISTED_QUERIER;
	MCAST_FORGET();
	if (handing->stage != MCAST_STAGE_SECOND)
		return;
	counted->accepted[MCAST_RX][message->kind & 15]--;
	mcast_count(counted, MCAST_RX, message);
}

/* Such a query is kept from the kernel in host mode, and told now and then, against no limit. */
MCAST_INLINE void mcast_keep_unlisted(const struct mcast_frame *frame,
				      const struct mcast_message *message,
				      struct mcast_handing *handing, struct mcast_counters *counted)
{
	struct mcast_question key = { .ifindex = handing->ifindex,
				      .kind = message->kind,
				      .stage = handing->stage,
				      .unlisted = 1 };

	if (message->reason == MCAST_UNLISTED_QUERIER &&
	    mcast_is_news(&key, MCAST_SAME_STRANGER, handing))
		mcast_hand_over(frame, MCAST_RING_QUERY, handing, counted);
	MCAST_FORGET();
	mcast_count_protocol(counted->consumed, message);
}

/* A message from outside. True if it is to be kept from the kernel: what is said above, and what is
 * beyond the limits, because a flood is the agent's to deal with. */
MCAST_INLINE bool mcast_from_outside(const struct mcast_frame *frame,
				     const struct mcast_policy *policy,
				     struct mcast_message *message, struct mcast_handing *handing,
				     struct mcast_counters *counted)
{
	bool acting, guarded, admitted, query, unlisted;
	bool first = frame->hook == MCAST_HOOK_XDP && (policy->switches & MCAST_TAGS_TAKEN_OUT);

	mcast_check_addresses(frame->work, policy, handing->ifindex);
	MCAST_FORGET();
	unlisted = !first && !mcast_is_in_vlan(message) &&
		   mcast_is_unlisted(frame->work, policy, handing->ifindex);
	if (unlisted)
		mcast_refuse_unlisted(message, handing, counted);
	MCAST_FORGET();
	if (handing->stage != MCAST_STAGE_SECOND)
		mcast_count(counted, MCAST_RX, message);
	MCAST_FORGET();
	if (first)
		return mcast_from_outside_first(frame, policy, message, handing, counted);
	acting = !mcast_is_in_vlan(message) && mcast_is_acting(policy, handing);
	if (unlisted && acting) {
		mcast_keep_unlisted(frame, message, handing, counted);
		return true;
	}
	guarded = acting && (policy->switches & MCAST_DISCARD_FLOODS);
	query = mcast_is_query(message->kind);
	if (query)
		admitted = mcast_admit_query(frame, policy, handing, counted);
	else
		admitted = mcast_admit_report(frame, policy, handing, guarded, counted);
	if (!acting)
		return false;
	if (mcast_is_consumed(policy, frame->work)) {
		mcast_count_protocol(counted->consumed, message);
		return true;
	}
	if (!guarded || (admitted && !(query && mcast_is_strange(frame, policy, handing))))
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
	uint32_t consume = unclear == MCAST_UNCLEAR_MLD ? MCAST_CONSUME_MLD | MCAST_LISTED_MLD :
							  MCAST_CONSUME_IGMP | MCAST_LISTED_IGMP;

	if (!unclear || !(policy->switches & consume) || mcast_is_in_vlan(&frame->work->message) ||
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

#endif
