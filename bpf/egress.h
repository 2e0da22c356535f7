/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is done with a control packet that leaves: whose it is, and whether it is held back. */
#ifndef MCAST_EGRESS_H
#define MCAST_EGRESS_H

#include "count.h"

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
	struct mcast_passer passer = { .ifindex = ifindex, .kind = work->message.kind };
	struct mcast_passed passed = { .at = bpf_ktime_get_ns() };

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
	bool reports = !query && message->kind != MCAST_IGMP_OTHER &&
		       message->kind != MCAST_MLD_OTHER;

	if (mcast_is_own(frame)) {
		handing->fate = MCAST_OWN;
	} else if (query ||
		   (reports && mcast_is_of_this_kernel(frame, policy, message, handing->ifindex))) {
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
			if (!mcast_is_in_vlan(message) &&
			    mcast_is_holding(policy, message, handing))
				mcast_note_passer(frame, handing->ifindex);
		}
		MCAST_FORGET();
	}
	mcast_count(counted, MCAST_TX, message);
	if (policy->switches & MCAST_HAND_OVER_REPORTS)
		mcast_deliver(frame, policy, handing, counted);
	return false;
}

#endif
