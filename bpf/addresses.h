/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the addresses in a message are to the interface: ours, joined, a known querier's. */
#ifndef MCAST_ADDRESSES_H
#define MCAST_ADDRESSES_H

#include "maps.h"
#include "rules.h"

/* The key for an address that was found in the message. */
MCAST_INLINE void mcast_key_of(const struct mcast_work *work, const uint32_t address[4],
			       uint32_t ifindex, struct mcast_assigned *key)
{
	uint32_t *words = (uint32_t *)(void *)key->address;
	bool wide = mcast_is_mld(work->message.kind);

	key->ifindex = ifindex;
	words[0] = address[0];
	words[1] = wide ? address[1] : 0;
	words[2] = wide ? address[2] : 0;
	words[3] = wide ? address[3] : 0;
}

/* What is known of an address that was found in the message, on this interface; 0 if nothing. */
MCAST_INLINE uint32_t mcast_assignment(const struct mcast_work *work, const uint32_t address[4],
				       uint32_t ifindex)
{
	struct mcast_assigned key;
	uint32_t *value;

	mcast_key_of(work, address, ifindex, &key);
	value = assigned.lookup(&key);
	return value ? *value : 0;
}

/* Whether another host's older report matters: its group's own report is due. */
MCAST_INLINE bool mcast_suppresses(const struct mcast_work *work, uint32_t ifindex)
{
	uint8_t kind = work->message.kind;

	return work->message.reason == MCAST_ACCEPTED &&
	       (kind == MCAST_IGMP_REPORT_1 || kind == MCAST_IGMP_REPORT_2 ||
		kind == MCAST_MLD_REPORT_1) &&
	       (mcast_assignment(work, work->group, ifindex) & MCAST_DELAYING);
}

/* A 64-bit Bloom filter over the last byte of the address: false means certainly not one of them.
 * Most sources that are none of them are found out so, without a look into a map. */
MCAST_INLINE bool mcast_may_be_source(const struct mcast_work *work, uint64_t bits)
{
	return bits >> (work->source_end & 63) & 1;
}

/* Whether a query is of none of the queriers that are named for the interface, where any are. */
MCAST_INLINE bool mcast_is_unlisted(const struct mcast_work *work,
				    const struct mcast_policy *policy, uint32_t ifindex)
{
	bool mld = mcast_is_mld(work->message.kind);
	struct mcast_listed key = { .length = mld ? 192 : 96, .ifindex = ifindex, .protocol = mld };
	uint32_t *words = (uint32_t *)(void *)key.address;

	if (!(policy->switches & (mld ? MCAST_LISTED_MLD : MCAST_LISTED_IGMP)) ||
	    !mcast_is_query(work->message.kind))
		return false;
	words[0] = work->source[0];
	words[1] = mld ? work->source[1] : 0;
	words[2] = mld ? work->source[2] : 0;
	words[3] = mld ? work->source[3] : 0;
	return !listed.lookup(&key);
}

/* Settles what the classifier could not know: which addresses are ours. */
MCAST_INLINE void mcast_check_addresses(struct mcast_work *work, const struct mcast_policy *policy,
					uint32_t ifindex)
{
	struct mcast_message *message = &work->message;

	if (mcast_destination_matters(message) &&
	    !(mcast_assignment(work, work->destination, ifindex) & MCAST_ASSIGNED))
		message->reason = MCAST_BAD_DESTINATION;
	if (mcast_source_matters(message) && mcast_may_be_source(work, policy->own) &&
	    (mcast_assignment(work, work->source, ifindex) & MCAST_ASSIGNED))
		message->reason = MCAST_LOOPBACK;
}

#endif
