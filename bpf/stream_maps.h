/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Streams in the kernel: where they are kept, and how a frame's stream is found and counted. */
#ifndef MCAST_STREAM_MAPS_H
#define MCAST_STREAM_MAPS_H

#include "streams.h"
#include "pairs.h"

enum {
	MCAST_LOCK_TRIES = 64,  /* a processor counts one packet meanwhile, which is not long */
	MCAST_STRANGERS = 4096, /* places; a power of two */
	MCAST_STRANGERS_TRIED = 64,
};

/* The programs that look at what may be control, and that count what a leg of a pair brought; the loader
 * puts them here. */
enum { MCAST_FURTHER_CONTROL = 0, MCAST_FURTHER_PAIR = 1, MCAST_FURTHER_NOWHERE = 2 };
BPF_PROG_ARRAY(further, 2);

/* Streams: all memory is there from the beginning, so that none is missed for want of it. */
BPF_TABLE("hash", struct mcast_stream_key, struct mcast_stream, streams, 4096);

/* What was counted besides them, by interface; only where the agent has made room for it. */
BPF_F_TABLE("percpu_hash", uint32_t, struct mcast_stream_rest, stream_rest, 128, BPF_F_NO_PREALLOC);

BPF_ARRAY(stream_formats, struct mcast_stream_format, MCAST_STREAM_FORMATS);

/* Of programs.c: addresses of interfaces, and groups that are received there. */
BPF_F_TABLE("hash", struct mcast_assigned, uint32_t, assigned, 262144, BPF_F_NO_PREALLOC);

/* Streams that nobody has joined, in the order in which they came: a stream that somebody has, and
 * finds no room, takes that of one of them. */
BPF_ARRAY(strangers, struct mcast_stream_key, MCAST_STRANGERS);

/* How many strangers have been noted; and how many of these were looked at again, which the agent
 * raises, too, where they are gone. */
enum { MCAST_STRANGERS_CAME = 0, MCAST_STRANGERS_WENT = 1 };
BPF_ARRAY(strangers_turn, uint64_t, 2);

/* Pairs; the loader makes room for as many as are configured. */
BPF_ARRAY(pairs, struct mcast_pair, 1);

/* Which streams are legs: MCAST_LEGS_OF_PAIR times the pair's number, and which, from 1. */
BPF_TABLE("hash", struct mcast_leg_key, uint32_t, pair_legs, MCAST_PAIRS *MCAST_LEGS_OF_PAIR);

/* Another number whenever they have changed; 0 before there is one. */
BPF_ARRAY(pair_legs_turn, uint32_t, 1);

/* Where a frame is looked at: what is found in it, and a stream before its first packet. One for each
 * hook, because one may interrupt the other. */
struct mcast_stream_scratch {
	struct mcast_datagram datagram;
	struct mcast_stream fresh;
	uint64_t turn;               /* of legs, now */
	uint64_t further;            /* where the frame is to be looked at next */
	uint64_t now;                /* when its datagram was counted in its stream, */
	struct mcast_stream_leg leg; /* and what that one was for a pair then */
	struct mcast_taken taken;    /* what a pair is told of it */
};
BPF_PERCPU_ARRAY(stream_scratch, struct mcast_stream_scratch, 2);

MCAST_INLINE long mcast_load_bytes(const struct mcast_source *source, uint32_t offset, void *to,
				   uint32_t size)
{
	long result;

	if (source->hook == MCAST_HOOK_XDP) {
		result = bpf_xdp_load_bytes(source->context, offset, to, size);
		asm volatile(""); /* or LLVM 14 makes one call through a pointer of the two */
		return result;
	}
	return bpf_skb_load_bytes(source->context, offset, to, size);
}

MCAST_INLINE bool mcast_bytes(const struct mcast_source *source, uint32_t offset, void *to,
			      uint32_t size)
{
	return !mcast_load_bytes(source, offset, to, size);
}

MCAST_INLINE uint32_t mcast_frame_length(const struct mcast_source *source)
{
	if (source->hook == MCAST_HOOK_XDP)
		return (uint32_t)bpf_xdp_get_buff_len(source->context);
	return ((struct __sk_buff *)source->context)->len;
}

/* Whether the stream's group is one that the interface receives for somebody; what is in a VLAN is not
 * for this interface. */
MCAST_INLINE bool mcast_is_joined(const struct mcast_stream_key *key)
{
	struct mcast_assigned wanted = { .ifindex = key->ifindex };

	if (key->vlan[0] | key->vlan[1])
		return false;
	__builtin_memcpy(wanted.address, key->group, 16);
	return assigned.lookup(&wanted) != NULL;
}

/* Takes the room of a stream that nobody has joined; false if none was found. */
MCAST_INLINE bool mcast_make_room(void)
{
	uint32_t came_at = MCAST_STRANGERS_CAME, went_at = MCAST_STRANGERS_WENT, index;
	uint64_t *came = strangers_turn.lookup(&came_at), *went = strangers_turn.lookup(&went_at),
		 i;
	struct mcast_stream_key *key, stranger;

	if (!came || !went)
		return false;
	for (i = 0; i < MCAST_STRANGERS_TRIED; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (*went >= *came)
			return false;
		if (*came - *went > MCAST_STRANGERS)
			*went = *came - MCAST_STRANGERS;
		index = (uint32_t)*went & (MCAST_STRANGERS - 1);
		++*went;
		key = strangers.lookup(&index);
		if (!key)
			return false;
		stranger = *key;
		if (!mcast_is_joined(&stranger) && !streams.delete(&stranger))
			return true;
	}
	return false;
}

MCAST_INLINE void mcast_note_stranger(const struct mcast_stream_key *key)
{
	uint32_t came_at = MCAST_STRANGERS_CAME, index;
	uint64_t *came = strangers_turn.lookup(&came_at);
	struct mcast_stream_key *place;

	if (!came)
		return;
	index = (uint32_t)*came & (MCAST_STRANGERS - 1);
	place = strangers.lookup(&index);
	if (place)
		*place = *key;
	++*came;
}

/* What is configured for a stream of that key. */
MCAST_INLINE void mcast_configure(struct mcast_stream *stream, const struct mcast_stream_key *key)
{
	struct mcast_stream_format *format;
	uint64_t i;
	uint32_t index;

	for (i = 0; i < MCAST_STREAM_FORMATS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		index = (uint32_t)i;
		format = stream_formats.lookup(&index);
		if (!format || !format->width)
			return;
		if (mcast_is_for(format, key)) {
			mcast_set_format(stream, format);
			return;
		}
	}
}

/* Begins with a stream that is seen first; NULL if there is no room. */
MCAST_INLINE struct mcast_stream *mcast_meet(struct mcast_stream_scratch *lay_out)
{
	struct mcast_stream_key *key = &lay_out->datagram.key;
	struct mcast_stream *fresh = &lay_out->fresh;
	bool joined = mcast_is_joined(key);

	fresh->is_configured = fresh->format = fresh->size = 0;
	fresh->offset = 0;
	fresh->step = 0;
	fresh->is_joined = joined;
	mcast_configure(fresh, key);
	MCAST_FORGET();
	if (!streams.insert(key, fresh)) {
		if (!joined)
			mcast_note_stranger(key);
	} else if (joined && mcast_make_room()) {
		streams.insert(key, fresh);
	}
	MCAST_FORGET();
	return streams.lookup(key); /* another processor may have been first */
}

MCAST_INLINE bool mcast_lock(uint64_t *lock)
{
	uint64_t i;

	for (i = 0; i < MCAST_LOCK_TRIES; i++) {
		MCAST_KEEP(i);
		if (!__sync_lock_test_and_set(lock, 1))
			return true;
	}
	return false;
}

MCAST_INLINE void mcast_unlock(uint64_t *lock)
{
	__sync_lock_test_and_set(lock, 0);
}

/* Counts a datagram of the interface; false if its stream has no room, or another processor holds it
 * for longer than counting takes. */
MCAST_INLINE bool mcast_count_in_stream(const struct mcast_source *source,
					struct mcast_stream_scratch *lay_out)
{
	struct mcast_stream *stream = streams.lookup(&lay_out->datagram.key);
	uint64_t differs;

	if (!stream)
		stream = mcast_meet(lay_out);
	if (!stream || !mcast_lock(&stream->lock))
		return false;
	lay_out->now = bpf_ktime_get_ns();
	mcast_count_datagram(source, stream, &lay_out->datagram, lay_out->now);
	lay_out->leg = stream->leg;
	mcast_unlock(&stream->lock);
	/* Without a branch: the verifier would walk twice through all that follows, for each way to here. */
	differs = lay_out->leg.number | (lay_out->leg.turn ^ lay_out->turn);
	lay_out->further = MCAST_FURTHER_NOWHERE - ((differs | -differs) >> 63);
	return true;
}

/* Looks up, if legs have changed, whether the stream is one. What is in a VLAN is not this interface's. */
MCAST_INLINE void mcast_find_leg(struct mcast_stream_leg *leg, const struct mcast_stream_key *key)
{
	struct mcast_leg_key wanted = {
		.ifindex = key->ifindex,
		.port = key->port,
		.width = key->width,
	};
	uint32_t none = 0, *turn = pair_legs_turn.lookup(&none), *number;

	if (!turn || *turn == leg->turn)
		return;
	__builtin_memcpy(wanted.group, key->group, sizeof(wanted.group));
	number = pair_legs.lookup(&wanted);
	leg->number = number && !(key->vlan[0] | key->vlan[1]) ? (uint8_t)*number : 0;
	leg->turn = *turn;
}

/* Counts in its pair what has been counted in a leg's stream. A program of its own does that: in the one
 * that counts streams the verifier would walk through it once for each way that leads there. */
MCAST_INLINE void mcast_count_in_pair(uint32_t hook)
{
	struct mcast_stream_scratch *lay_out = stream_scratch.lookup(&hook);
	struct mcast_stream *stream;
	struct mcast_pair *pair;
	uint32_t index;

	if (!lay_out)
		return;
	stream = streams.lookup(&lay_out->datagram.key);
	if (!stream)
		return;
	mcast_find_leg(&lay_out->leg, &lay_out->datagram.key);
	MCAST_FORGET();
	stream->leg.turn = lay_out->leg.turn;
	stream->leg.number = lay_out->leg.number;
	if (!lay_out->leg.number)
		return;
	mcast_tell(&lay_out->taken, stream, &lay_out->datagram, &lay_out->leg);
	MCAST_FORGET();
	index = (lay_out->leg.number - 1u) / MCAST_LEGS_OF_PAIR;
	pair = pairs.lookup(&index);
	if (!pair)
		return;
	if (!mcast_lock(&pair->lock)) {
		__sync_fetch_and_add(&pair->missed, 1);
		return;
	}
	mcast_take_in_pair(pair, &lay_out->taken, lay_out->now);
	MCAST_FORGET();
	mcast_unlock(&pair->lock);
}

/* Looks at a frame, of which as much as lies in one piece is from `data` to `end`; with a tag `vlan` that
 * the driver has taken out, if it is `tagged`. */
MCAST_INLINE void mcast_look(struct mcast_source *source, struct mcast_stream_scratch *lay_out,
			     const uint8_t *data, const uint8_t *end, uint32_t ifindex,
			     uint16_t vlan, bool tagged)
{
	struct mcast_datagram *datagram = &lay_out->datagram;
	struct mcast_stream_rest *rest;

	__builtin_memset(datagram, 0, sizeof(*datagram));
	if (!mcast_is_usual_datagram(datagram, data, end)) {
		__builtin_memset(datagram, 0, sizeof(*datagram));
		source->length = source->captured = mcast_frame_length(source);
		mcast_find_datagram(source, datagram);
	}
	MCAST_FORGET();
	datagram->key.ifindex = ifindex;
	if (tagged) {
		datagram->key.vlan[1] = datagram->key.vlan[0];
		datagram->key.vlan[0] = vlan;
		if (datagram->key.tags < 2) /* of three tags the innermost is not told */
			datagram->key.tags++;
	}
	MCAST_FORGET();
	if (datagram->found == MCAST_FOUND_NOTHING ||
	    (datagram->found == MCAST_FOUND_DATAGRAM && mcast_count_in_stream(source, lay_out)))
		return;
	MCAST_FORGET();
	rest = stream_rest.lookup(&ifindex);
	if (!rest)
		return;
	if (datagram->found == MCAST_FOUND_FRAGMENT) {
		rest->fragments++;
		MCAST_FORGET(); /* or LLVM 14 computes which to count */
	} else {
		rest->untracked++;
	}
}

/* The same; where the frame is to be looked at next, if anywhere: a number for `further`. */
MCAST_INLINE uint32_t mcast_see(struct mcast_source *source, const uint8_t *data,
				const uint8_t *end, uint32_t ifindex, uint16_t vlan, bool tagged)
{
	uint32_t hook = (uint32_t)source->hook, none = 0, *turn;
	struct mcast_stream_scratch *lay_out = stream_scratch.lookup(&hook);

	turn = pair_legs_turn.lookup(&none);
	if (!lay_out || !turn)
		return MCAST_FURTHER_NOWHERE;
	lay_out->turn = *turn;
	lay_out->further = MCAST_FURTHER_NOWHERE;
	MCAST_FORGET();
	mcast_look(source, lay_out, data, end, ifindex, vlan, tagged);
	MCAST_FORGET();
	return (uint32_t)lay_out->further;
}

#endif
