/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much may be handed over, and when the programs may act: limits and the heartbeat. */
#ifndef MCAST_GUARD_H
#define MCAST_GUARD_H

#include "addresses.h"
#include "frame.h"

/* What is handed over besides the frame. */
struct mcast_handing {
	uint32_t ifindex;
	uint32_t slot;
	uint8_t fate;
	uint8_t stage; /* enum mcast_stage */
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
	return pace && mcast_take(limit, &pace->due[handing->stage & 1][ring], mcast_now(handing));
}

/* Whether a query comes from a querier that is known, and not faster than one may ask. */
MCAST_INLINE bool mcast_is_known(const struct mcast_work *work, const struct mcast_policy *policy,
				 struct mcast_handing *handing)
{
	struct mcast_querier *querier;
	struct mcast_assigned key;

	if (work->message.reason != MCAST_ACCEPTED || !mcast_may_be_source(work, policy->queriers))
		return false;
	mcast_key_of(work, work->source, handing->ifindex, &key);
	querier = queriers.lookup(&key);
	return querier &&
	       mcast_take(&policy->known, &querier->due[handing->stage & 1], mcast_now(handing));
}

/* How often the same question is handed over beyond all limits, and how often a query of a querier
 * that is not named; ns. */
#define MCAST_SAME_QUESTION 100000000ull
#define MCAST_SAME_STRANGER 10000000000ull

/* Whether that was not handed over in the last `interval`; it is now. */
MCAST_INLINE bool mcast_is_news(const struct mcast_question *key, uint64_t interval,
				struct mcast_handing *handing)
{
	uint64_t now = mcast_now(handing), *last = questions.lookup(key);

	if (last && now - *last < interval)
		return false;
	questions.update(key, &now);
	return true;
}

/* The class of a Maximum Response Code of MLD; times of one class differ by an eighth at the most
 * (RFC 9777 §5.1.3). IGMP's codes, of 8 bits, are classes of their own. */
MCAST_INLINE uint8_t mcast_response_class(uint32_t code)
{
	uint32_t zeros = 0;

	if (code & 0x8000) /* a float: exponent and the first bits of the mantissa */
		return (uint8_t)(0x80 | (code >> 8 & 0x7f));
	if (!(code & 0x7f80)) {
		code <<= 8;
		zeros += 8;
	}
	if (!(code & 0x7800)) {
		code <<= 4;
		zeros += 4;
	}
	if (!(code & 0x6000)) {
		code <<= 2;
		zeros += 2;
	}
	if (!(code & 0x4000)) {
		code <<= 1;
		zeros += 1;
	}
	return (uint8_t)(zeros << 3 | (code >> 11 & 7));
}

/* Whether a general query asks something that was not handed over just now. So nobody who floods a
 * host keeps it from answering in the time that its querier gives it. */
MCAST_INLINE bool mcast_is_new_question(const struct mcast_frame *frame,
					const struct mcast_policy *policy,
					struct mcast_handing *handing)
{
	const struct mcast_work *work = frame->work;
	struct mcast_question key = { .ifindex = handing->ifindex,
				      .kind = work->message.kind,
				      .stage = handing->stage };
	uint8_t code[2];

	if (work->message.reason != MCAST_ACCEPTED || !mcast_is_general(work, &policy->rules))
		return false;
	if (!mcast_is_mld(key.kind)) {
		key.response = work->code;
	} else {
		if (mcast_load(frame, work->message.message + 4u, code, sizeof(code)))
			return false;
		key.response = mcast_response_class((uint32_t)code[0] << 8 | code[1]);
	}
	return mcast_is_news(&key, MCAST_SAME_QUESTION, handing);
}

/* Whether a query is within the limits: all queriers', one known querier's, one question's. What is
 * asked with the last token of the first is noted, or it would be handed over twice. */
MCAST_INLINE bool mcast_query_may_pass(const struct mcast_frame *frame,
				       const struct mcast_policy *policy,
				       struct mcast_handing *handing)
{
	const struct mcast_limit *limit = &policy->limit[MCAST_RING_QUERY];
	struct mcast_pace *pace;
	uint64_t *due, now;

	if (!limit->interval)
		return true;
	pace = paces.lookup(&handing->slot);
	if (!pace)
		return false;
	due = &pace->due[handing->stage & 1][MCAST_RING_QUERY];
	now = mcast_now(handing);
	if (mcast_take(limit, due, now)) {
		if (*due - now > limit->burst)
			mcast_is_new_question(frame, policy, handing);
		return true;
	}
	return mcast_is_known(frame->work, policy, handing) ||
	       mcast_is_new_question(frame, policy, handing);
}

/* Whether a general query should not reach the kernel although it is within the limits: in a flood,
 * when its source is not a querier that is known. Linux puts its answer off with each later query of
 * MLD, so that one in a thousand of the forged ones would keep it from answering. */
MCAST_INLINE bool mcast_is_strange(const struct mcast_frame *frame,
				   const struct mcast_policy *policy, struct mcast_handing *handing)
{
	const struct mcast_limit *limit = &policy->limit[MCAST_RING_QUERY];
	struct mcast_pace *pace = paces.lookup(&handing->slot);
	struct mcast_assigned key;

	if (!limit->interval || !policy->queriers || !pace ||
	    pace->due[MCAST_STAGE_ONLY][MCAST_RING_QUERY] < mcast_now(handing) + limit->burst / 2 ||
	    !mcast_is_general(frame->work, &policy->rules))
		return false;
	if (!mcast_may_be_source(frame->work, policy->queriers))
		return true;
	mcast_key_of(frame->work, frame->work->source, handing->ifindex, &key);
	return !queriers.lookup(&key);
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
