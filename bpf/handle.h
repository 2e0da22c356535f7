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
	struct mcast_question key = {.ifindex = handing->ifindex,
				     .kind = message->kind,
				     .stage = handing->stage,
				     .unlisted = 1};

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

MCAST_INLINE bool mcast_is_own(const struct mcast_frame *frame)
{
	uint64_t cookie = bpf_get_socket_cookie(frame->context);

	return own_sockets.lookup(&cookie) != NULL;
}

/* Whether this hardware address (6 bytes, then two zeros) is at `offset` of the frame. */
MCAST_INLINE bool mcast_has_hardware(const struct mcast_frame *frame, uint32_t offset,
				     const uint8_t hardware[8])
{
	uint64_t found = 0;

	return !mcast_load(frame, offset, &found, 6) &&
	       found == *(const uint64_t *)(const void *)hardware;
}

/* Whether the frame comes from this hardware address. */
MCAST_INLINE bool mcast_is_sent_by(const struct mcast_frame *frame, const uint8_t hardware[8])
{
	return mcast_has_hardware(frame, 6, hardware);
}

/* Whether the message is of a socket as the kernel has it: none for IGMP, for MLD one of its own, which
 * looks like a program's raw ICMPv6 socket. The kernel gives MLD's messages a priority that this socket
 * does not have; a program's messages have the one of theirs. */
MCAST_INLINE bool mcast_is_of_kernels_socket(const struct mcast_frame *frame,
					     const struct mcast_message *message)
{
	struct __sk_buff *skb = frame->context;
	struct bpf_sock *sock = skb->sk;

	/* What a guest behind ipvlan sends comes by its device's queue of multicast frames. */
	if (skb->pkt_type != MCAST_PACKET_HOST)
		return false;
	if (!mcast_is_mld(message->kind))
		return !sock;
	if (!sock)
		return false;
	sock = bpf_sk_fullsock(sock);
	return sock && sock->family == MCAST_AF_INET6 && sock->protocol == MCAST_PROTOCOL_ICMPV6 &&
	       skb->priority == MCAST_PRIORITY_CONTROL && sock->priority != MCAST_PRIORITY_CONTROL;
}

/* Whether the source is one that this kernel reports from on the interface. It reports from none only
 * as long as it has no address there; children that share the hardware address may do so, too. */
MCAST_INLINE bool mcast_is_of_own_source(const struct mcast_work *work,
					 const struct mcast_policy *policy, uint32_t ifindex)
{
	uint32_t any = work->source[0], has = MCAST_HAS_IPV4;

	if (mcast_is_mld(work->message.kind)) {
		any |= work->source[1] | work->source[2] | work->source[3];
		has = MCAST_HAS_IPV6;
	}
	if (!any)
		return !(policy->switches & has);
	return mcast_assignment(work, work->source, ifindex) & MCAST_ASSIGNED;
}

/* Whether a message that leaves by the interface is this kernel's own. In doubt it is not: what guests
 * behind macvlan, macvtap or ipvlan send passes here, too, and so do the frames of packet sockets. */
MCAST_INLINE bool mcast_is_of_this_kernel(const struct mcast_frame *frame,
					  const struct mcast_policy *policy,
					  const struct mcast_message *message, uint32_t ifindex)
{
	return !mcast_is_in_vlan(message) && mcast_is_of_kernels_socket(frame, message) &&
	       mcast_is_sent_by(frame, policy->hardware) &&
	       mcast_is_of_own_source(frame->work, policy, ifindex);
}

/* Notes who reports through the interface beside the agent. */
MCAST_INLINE void mcast_note_passer(const struct mcast_frame *frame, uint32_t ifindex)
{
	const struct mcast_work *work = frame->work;
	struct mcast_passer passer = {.ifindex = ifindex, .kind = work->message.kind};
	struct mcast_passed passed = {.at = bpf_ktime_get_ns()};

	if (mcast_load(frame, 6, passer.hardware, 6))
		return;
	passed.source[0] = work->source[0];
	if (mcast_is_mld(work->message.kind)) {
		passed.source[1] = work->source[1];
		passed.source[2] = work->source[2];
		passed.source[3] = work->source[3];
	}
	passers.update(&passer, &passed);
}

/* Whether this kernel's own reports of the protocol are held back: the agent speaks for it. */
MCAST_INLINE bool mcast_is_holding(const struct mcast_policy *policy,
				   const struct mcast_message *message,
				   struct mcast_handing *handing)
{
	uint32_t hold = mcast_is_mld(message->kind) ? MCAST_HOLD_MLD : MCAST_HOLD_IGMP;

	return (policy->switches & hold) && mcast_is_acting(policy, handing);
}

/* A message that leaves this host by the interface. True if it is to be held back: a report or leave
 * of the kernel's own under a cap, which the agent has been told of and speaks for. */
MCAST_INLINE bool mcast_from_inside(const struct mcast_frame *frame,
				    const struct mcast_policy *policy,
				    const struct mcast_message *message,
				    struct mcast_handing *handing, struct mcast_counters *counted)
{
	bool query = mcast_is_query(message->kind);
	bool reports = !query && message->kind != MCAST_IGMP_OTHER && message->kind != MCAST_MLD_OTHER;

	if (mcast_is_own(frame)) {
		handing->fate = MCAST_OWN;
	} else if (query || (reports && mcast_is_of_this_kernel(frame, policy, message,
								handing->ifindex))) {
		/* A querier on this host asks this host, too. */
		handing->fate = !query && mcast_is_holding(policy, message, handing) ?
					MCAST_HELD_BACK :
					MCAST_PASSED;
		/* What could not be told must go out: no group may be lost. */
		if (mcast_deliver(frame, policy, handing, counted) &&
		    handing->fate == MCAST_HELD_BACK) {
			mcast_count_protocol(counted->held_back, message);
			return true;
		}
		mcast_count(counted, MCAST_TX, message);
		return false;
	} else {
		handing->fate = MCAST_PASSING;
		if (reports) {
			mcast_count_protocol(counted->passing, message);
			MCAST_FORGET();
			if (!mcast_is_in_vlan(message) && mcast_is_holding(policy, message, handing))
				mcast_note_passer(frame, handing->ifindex);
		}
		MCAST_FORGET();
	}
	mcast_count(counted, MCAST_TX, message);
	if (policy->switches & MCAST_HAND_OVER_REPORTS)
		mcast_deliver(frame, policy, handing, counted);
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
