/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much may be handed over, and when the programs may act: limits and the heartbeat. */
#ifndef MCAST_GUARD_H
#define MCAST_GUARD_H

#include "addresses.h"

/* What is handed over besides the frame. */
struct mcast_handing {
	uint32_t ifindex;
	uint32_t slot;
	uint8_t fate;
	struct mcast_tick *tick;
};

/* The time to within two ticks of the system, ns of CLOCK_MONOTONIC: for limits and heartbeats. The
 * kernel is asked once a tick, by a call; the number of the tick is only a load. */
MCAST_INLINE uint64_t mcast_now(struct mcast_handing *handing)
{
	uint64_t tick = bpf_jiffies64();

	if (handing->tick->number != tick) {
		handing->tick->time = bpf_ktime_get_coarse_ns();
		handing->tick->number = tick;
	}
	return handing->tick->time;
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

MCAST_INLINE bool mcast_may_pass(const struct mcast_policy *policy, uint32_t ring,
				 struct mcast_handing *handing)
{
	const struct mcast_limit *limit = &policy->limit[ring];
	struct mcast_pace *pace;

	if (!limit->interval)
		return true;
	pace = paces.lookup(&handing->slot);
	return pace && mcast_take(limit, &pace->due[ring], mcast_now(handing));
}

/* Whether a query comes from a querier that is known, and not faster than one may ask. */
MCAST_INLINE bool mcast_is_known(const struct mcast_work *work, const struct mcast_policy *policy,
				 struct mcast_handing *handing)
{
	struct mcast_querier *querier;
	struct mcast_assigned key;

	if (work->message.reason != MCAST_ACCEPTED ||
	    !mcast_may_be_source(work, policy->queriers))
		return false;
	mcast_key_of(work, work->source, handing->ifindex, &key);
	querier = queriers.lookup(&key);
	return querier && mcast_take(&policy->known, &querier->due, mcast_now(handing));
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

#endif
