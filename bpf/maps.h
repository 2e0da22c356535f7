/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps and rings that all programs share; sizes are defaults that the loader may raise. */
#ifndef MCAST_MAPS_H
#define MCAST_MAPS_H

#include "work.h"

BPF_ARRAY(policies, struct mcast_policy, MCAST_PLACES + 128);
/* The places of those policies that are not where their interfaces' indices say. */
BPF_F_TABLE("hash", uint32_t, uint32_t, elsewhere, 128, BPF_F_NO_PREALLOC);
BPF_PERCPU_ARRAY(counters, struct mcast_counters, 128);
BPF_ARRAY(paces, struct mcast_pace, 128);
BPF_F_TABLE("hash", struct mcast_assigned, struct mcast_querier, queriers, 4096, BPF_F_NO_PREALLOC);
/* Nothing is in it but the key. */
BPF_F_TABLE("lpm_trie", struct mcast_listed, uint32_t, listed, 4096, BPF_F_NO_PREALLOC);
/* When a question was handed over last, ns of CLOCK_MONOTONIC. One that is pushed out of here is
 * handed over once more. */
BPF_TABLE("lru_hash", struct mcast_question, uint64_t, questions, 8192);
/* Takes memory as addresses and groups come: a host may hold 100,000 groups, and hardly any does. */
BPF_F_TABLE("hash", struct mcast_assigned, uint32_t, assigned, 262144, BPF_F_NO_PREALLOC);

/* Until when the programs may act on traffic, ns of CLOCK_MONOTONIC; else they only look on. */
BPF_ARRAY(heartbeat, uint64_t, 1);

/* Cookies of the agent's own sockets: what they send goes out. */
BPF_HASH(own_sockets, uint64_t, uint32_t, 64);

BPF_TABLE("lru_hash", struct mcast_passer, struct mcast_passed, passers, 256);

/* In pages. Queries have a ring of their own, so that no flood of reports can push one out. */
BPF_RINGBUF_OUTPUT(query_events, 256);
BPF_RINGBUF_OUTPUT(report_events, 128);
BPF_RINGBUF_OUTPUT(egress_events, 256);

/* A tick of the system, by its number, and the time then; ns of CLOCK_MONOTONIC. */
struct mcast_tick {
	uint64_t number;
	uint64_t time;
};

/* Where the programs lay out what they find and read: the headers of a packet that is unusual, for
 * the checksum helper, which takes no packet of unknown length, a payload in parts, and an event.
 * One for each hook, because one may interrupt another. */
struct mcast_scratch {
	struct mcast_work work;
	struct mcast_tick tick;
	uint8_t window[MCAST_WINDOW + 64];
	uint8_t part[512 + 8];
	struct mcast_event event;
	uint8_t event_frame[MCAST_EVENT_FRAME];
};
BPF_PERCPU_ARRAY(scratch, struct mcast_scratch, 3);

#endif
