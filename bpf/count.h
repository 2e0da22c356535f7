/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a classified packet is counted. */
#ifndef MCAST_COUNT_H
#define MCAST_COUNT_H

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

#endif
