/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pairs: which numbers of a stream that is sent twice came on leg a, on leg b, on both or on neither, and
 * by how much later on b (SMPTE ST 2022-7). Pure C as numbers.h is.
 *
 * A number is decided when the window has passed: when the highest one is a whole window above it, or
 * the window's time after it had come or been passed over. Before that nothing is lost.
 */
#ifndef MCAST_PAIRS_H
#define MCAST_PAIRS_H

#include "pair_abi.h"
#include "numbers.h"

/* Positions begin here: none is ever below 0. */
#define MCAST_PAIR_START (1ull << 32)
#define MCAST_SECOND 1000000000ull

enum {
	MCAST_MESSAGES =
		512, /* of a packet that are looked at: no Ethernet frame of 1,500 bytes has more */
	MCAST_WORDS_DECIDED =
		80, /* at once: the window's, and those that a packet's numbers go beyond */
	MCAST_WORDS_BROUGHT = 9, /* by one packet */
	MCAST_LEAST_SKEW = 1024  /* nanoseconds: all below are of class 0 */
};

/* --- Bits without branches: the verifier would go both ways of each -------------------------------- */

/* The lesser of two; both are below 2^63. */
MCAST_INLINE uint64_t mcast_least(uint64_t a, uint64_t b)
{
	uint64_t is_b = (b - a) >> 63;

	MCAST_KEEP(is_b);
	return a + ((b - a) & -is_b);
}

/* The lowest `count` bits, from 1 to 64. */
MCAST_INLINE uint64_t mcast_some_low_bits(uint64_t count)
{
	return ~0ull >> (-count & 63);
}

/* --- What is decided -------------------------------------------------------------------------- */

/* Decides all positions below `to`; they are counted if `is_counted` (0 or 1). */
MCAST_INLINE void mcast_decide(struct mcast_pair *pair, uint64_t to, uint64_t is_counted)
{
	uint64_t i, from, count, which, place, a, b, both;

	for (i = 0; i < MCAST_WORDS_DECIDED; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (pair->decided >= to)
			break;
		place = pair->decided >> 6 & (MCAST_PAIR_WORDS - 1);
		from = pair->decided & 63;
		count = mcast_least(to - pair->decided, 64 - from);
		which = mcast_some_low_bits(count) << from;
		both = mcast_bits_set(pair->came[0][place] & pair->came[1][place] & which);
		a = mcast_bits_set(pair->came[0][place] & which) - both;
		b = mcast_bits_set(pair->came[1][place] & which) - both;
		pair->came[0][place] &= ~which;
		pair->came[1][place] &= ~which;
		pair->timed[place] &= ~which;
		pair->decided += count;
		pair->both += both * is_counted;
		pair->legs[0].alone += a * is_counted;
		pair->legs[1].alone += b * is_counted;
		pair->neither += (count - both - a - b) * is_counted;
	}
	MCAST_FORGET();
}

/* Decides what the window's time has passed of. */
MCAST_INLINE void mcast_pass(struct mcast_pair *pair, uint64_t now)
{
	uint64_t to = pair->decided, i;
	uint32_t place;

	if (!pair->is_begun)
		return;
	if (now - pair->latest >= pair->window) {
		to = pair->highest + 1;
		pair->marks_begin = pair->marks_end;
	}
	for (i = 0; i < MCAST_PAIR_MARKS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		place = pair->marks_begin & (MCAST_PAIR_MARKS - 1);
		if (pair->marks_begin == pair->marks_end ||
		    now - pair->mark_times[place] < pair->window)
			break;
		to = pair->marks[place] + 1;
		pair->marks_begin++;
	}
	MCAST_FORGET();
	mcast_decide(pair, to, 1);
}

/* Notes how far the pair is, a fifteenth of the window's time after the last such note. */
MCAST_INLINE void mcast_mark(struct mcast_pair *pair, uint64_t now)
{
	uint32_t last = (pair->marks_end - 1) & (MCAST_PAIR_MARKS - 1);
	uint32_t next = pair->marks_end & (MCAST_PAIR_MARKS - 1);

	if (pair->marks_begin != pair->marks_end &&
	    now - pair->mark_times[last] <= pair->window / (MCAST_PAIR_MARKS - 1))
		return;
	pair->mark_times[next] = now;
	pair->marks[next] = pair->highest;
	pair->marks_end++;
}

/* --- Skews ------------------------------------------------------------------------------------ */

/* Classes of 1.024 us and up, eight in each power of two. Without a branch: the verifier would go both
 * ways of each. */
MCAST_INLINE uint64_t mcast_skew_class(uint64_t skew)
{
	uint64_t below = skew, power, class;

	if (skew < MCAST_LEAST_SKEW)
		return 0;
	below |= below >> 1;
	below |= below >> 2;
	below |= below >> 4;
	below |= below >> 8;
	below |= below >> 16;
	below |= below >> 32;
	power = mcast_bits_set(below) - 1;
	class = 1 + 8 * (power - 10) + (skew >> ((power - 3) & 63) & 7);
	return class < MCAST_SKEWS ? class : MCAST_SKEWS - 1;
}

/* Counts a skew; `now` has never gone back. */
MCAST_INLINE void mcast_note_skew(struct mcast_pair *pair, int64_t skew, uint64_t now)
{
	uint64_t size = skew < 0 ? (uint64_t)-skew : (uint64_t)skew, class, largest;
	uint32_t *counts;
	struct mcast_skews *skews;

	if (now >= pair->second_ends) {
		uint64_t second = now / MCAST_SECOND;

		skews = &pair->skews[second & 1];
		__builtin_memset(skews->counts[0], 0, sizeof(skews->counts[0]));
		MCAST_FORGET(); /* or both are made one, which is too long for LLVM */
		__builtin_memset(skews->counts[1], 0, sizeof(skews->counts[1]));
		skews->second = second;
		skews->count = 0;
		skews->largest = 0;
		pair->second_ends = (second + 1) * MCAST_SECOND;
		pair->is_odd = second & 1;
	}
	MCAST_FORGET();
	skews = &pair->skews[pair->is_odd & 1];
	class = mcast_skew_class(size);
	MCAST_KEEP(class);
	if (class >= MCAST_SKEWS)
		return;
	counts = skew < 0 ? skews->counts[1] : skews->counts[0];
	counts[class]++;
	largest = skews->largest < 0 ? (uint64_t)-skews->largest : (uint64_t)skews->largest;
	if (size > largest)
		skews->largest = skew;
	skews->count++;
	MCAST_FORGET();
}

/* --- Packets ---------------------------------------------------------------------------------- */

/* A leg has brought the number at `position`, the first of a packet that came at `at`. */
MCAST_INLINE void mcast_time(struct mcast_pair *pair, uint64_t leg, uint64_t position, uint64_t at,
			     uint64_t now)
{
	uint64_t word = position >> 6 & (MCAST_PAIR_WORDS - 1), bit = 1ull << (position & 63);
	uint32_t *arrival = &pair->arrivals[position & (MCAST_PAIR_NUMBERS - 1)];
	int64_t later;

	if (pair->came[leg & 1][word] & bit)
		return;
	if (!(pair->came[~leg & 1][word] & bit)) {
		*arrival = (uint32_t)at;
		pair->timed[word] |= bit;
	} else if (pair->timed[word] & bit) {
		later = (int32_t)((uint32_t)at - *arrival);
		mcast_note_skew(pair, leg & 1 ? later : -later, now);
	}
	MCAST_FORGET();
}

/* A leg has brought `count` numbers from `position` on, in a packet that came at `at`. */
MCAST_INLINE void mcast_bring(struct mcast_pair *pair, uint64_t leg, uint64_t position,
			      uint64_t count, uint64_t at, uint64_t now)
{
	uint64_t end = position + count, from, which, i, word, late;

	if (position < pair->decided) {
		late = end < pair->decided ? end : pair->decided;
		from = position > pair->base ? position : pair->base;
		if (late > from)
			pair->legs[leg & 1].late += late - from;
		position = pair->decided;
	} else if (count) {
		mcast_time(pair, leg, position, at, now);
	}
	MCAST_FORGET();
	for (i = 0; i < MCAST_WORDS_BROUGHT; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (position >= end)
			break;
		word = position >> 6 & (MCAST_PAIR_WORDS - 1);
		from = position & 63;
		count = mcast_least(end - position, 64 - from);
		which = mcast_some_low_bits(count) << from & ~pair->came[leg & 1][word];
		pair->came[leg & 1][word] |= which;
		pair->legs[leg & 1].brought += mcast_bits_set(which);
		position += count;
	}
	MCAST_FORGET();
}

/* The position of a number. False if no position that the window has, or might have next, is its. */
MCAST_INLINE bool mcast_position(const struct mcast_pair *pair, const struct mcast_taken *taken,
				 uint64_t *position)
{
	uint64_t ahead = (taken->number - pair->number) & taken->mask;
	uint64_t back = (pair->number - taken->number) & taken->mask;

	if (ahead < back) {
		if (!mcast_is_packets(&ahead, taken->step, MCAST_PAIR_NUMBERS))
			return false;
		*position = pair->highest + ahead;
	} else {
		if (!mcast_is_packets(&back, taken->step, MCAST_PAIR_NUMBERS))
			return false;
		*position = pair->highest - back;
	}
	return true;
}

/* Whether the legs do not match: other numbers, or somebody else's, or of another format. */
MCAST_INLINE bool mcast_is_apart(const struct mcast_leg *leg, const struct mcast_leg *other,
				 const struct mcast_taken *taken)
{
	uint64_t ahead = (leg->number - other->number) & taken->mask;
	uint64_t back = (other->number - leg->number) & taken->mask;

	return leg->format != other->format || leg->identity[0] != other->identity[0] ||
	       leg->identity[1] != other->identity[1] || leg->identity[2] != other->identity[2] ||
	       !mcast_is_packets(ahead < back ? &ahead : &back, taken->step, MCAST_PAIR_NUMBERS);
}

/* Whether the packet is of the leg's stream: that of its first source, as long as it sends. */
MCAST_INLINE bool mcast_is_leg_of(const struct mcast_pair *pair, const struct mcast_leg *leg,
				  const struct mcast_taken *taken, uint64_t now)
{
	uint32_t differing = 0;
	int i;

	for (i = 0; i < 16; i += 4)
		differing |= mcast_word(leg->source + i) ^ mcast_word(taken->source + i);
	return !leg->is_known || !differing || now - leg->last >= pair->window;
}

/* Notes what came on a leg. */
MCAST_INLINE void mcast_note_leg(struct mcast_leg *leg, const struct mcast_taken *taken,
				 uint64_t now)
{
	__builtin_memcpy(leg->source, taken->source, sizeof(leg->source));
	leg->packets++;
	leg->last = now;
	leg->format = taken->format;
	leg->is_known = 1;
	if (!taken->mask)
		return;
	leg->last_numbered = now;
	leg->number = taken->number;
	leg->identity[0] = taken->identity[0];
	leg->identity[1] = taken->identity[1];
	leg->identity[2] = taken->identity[2];
	leg->is_numbered = 1;
}

/* Counting begins with this number. */
MCAST_INLINE void mcast_begin_pair(struct mcast_pair *pair, const struct mcast_taken *taken)
{
	pair->base = pair->decided = MCAST_PAIR_START;
	pair->highest = MCAST_PAIR_START - 1;
	pair->number = (taken->number - taken->step) & taken->mask;
	pair->identity[0] = taken->identity[0];
	pair->identity[1] = taken->identity[1];
	pair->identity[2] = taken->identity[2];
	pair->format = taken->format;
	pair->legs[0].is_in = pair->legs[1].is_in = 0;
	pair->legs[taken->leg & 1].is_in = 1;
	pair->marks_begin = pair->marks_end = 0;
	pair->is_begun = 1;
	pair->begun++;
}

/* The numbers of a packet, the first of them at `position`, in a pair that has begun. */
MCAST_INLINE void mcast_take_numbers(struct mcast_pair *pair, const struct mcast_taken *taken,
				     uint64_t position, uint64_t count, uint64_t now)
{
	uint64_t more = position + count - 1 - pair->highest;

	if ((int64_t)more > 0) {
		pair->number += more * taken->step;
		pair->highest += more;
	}
	MCAST_FORGET();
	if (taken->is_two) {
		mcast_bring(pair, taken->leg, position, 1, taken->first_at, pair->latest);
		position++;
		count = 1;
	}
	MCAST_FORGET();
	mcast_bring(pair, taken->leg, position, count, now, pair->latest);
	mcast_mark(pair, pair->latest);
}

/* What a packet does to numbers that are not decided yet. */
enum mcast_step {
	MCAST_STEP_ON = 0,
	MCAST_STEP_APART = 1, /* they are dropped: legs do not match */
	MCAST_STEP_ANEW = 2,  /* they are dropped: counting begins with this packet */
	MCAST_STEP_IN =
		3 /* those below its number are: it is the leg's first, and counting has just begun */
};

/* Which step that is; where the packet's numbers begin goes to `position`, if counting goes on. */
MCAST_INLINE uint32_t mcast_step_of(struct mcast_pair *pair, const struct mcast_taken *taken,
				    uint64_t *position)
{
	struct mcast_leg *leg = &pair->legs[taken->leg & 1], *other = &pair->legs[~taken->leg & 1];

	if (other->is_numbered && pair->latest - other->last_numbered < pair->window &&
	    mcast_is_apart(leg, other, taken))
		return MCAST_STEP_APART;
	MCAST_FORGET();
	if (!pair->is_begun || pair->format != taken->format ||
	    pair->identity[0] != taken->identity[0] || pair->identity[1] != taken->identity[1] ||
	    pair->identity[2] != taken->identity[2] || !mcast_position(pair, taken, position))
		return MCAST_STEP_ANEW;
	MCAST_FORGET();
	if (leg->is_in)
		return MCAST_STEP_ON;
	/* A leg is not asked for what it brought before counting began. */
	leg->is_in = 1;
	return pair->decided == pair->base && *position > pair->base ? MCAST_STEP_IN :
								       MCAST_STEP_ON;
}

/* A packet of a leg has come at `now`. */
MCAST_INLINE void mcast_take_in_pair(struct mcast_pair *pair, const struct mcast_taken *taken,
				     uint64_t now)
{
	struct mcast_leg *leg = &pair->legs[taken->leg & 1];
	uint64_t moment = now > pair->latest ? now : pair->latest, position = 0, to;
	uint64_t count = taken->count < MCAST_MESSAGES ? taken->count : MCAST_MESSAGES;
	uint32_t step;

	mcast_pass(pair, moment);
	pair->latest = moment;
	if (!mcast_is_leg_of(pair, leg, taken, moment)) {
		leg->strangers++;
		return;
	}
	mcast_note_leg(leg, taken, moment);
	if (!taken->mask)
		return;
	step = mcast_step_of(pair, taken, &position);
	MCAST_FORGET();
	if (step == MCAST_STEP_ON) {
		to = position + count > pair->highest + 1 ? position + count : pair->highest + 1;
		to -= MCAST_PAIR_NUMBERS;
	} else {
		to = pair->is_begun ? pair->highest + 1 : 0;
		if (step == MCAST_STEP_IN && position < to)
			to = position;
	}
	MCAST_FORGET();
	mcast_decide(pair, to, step == MCAST_STEP_ON);
	if (step == MCAST_STEP_APART) {
		if (!pair->apart_since)
			pair->apart_since = moment ? moment : 1;
		pair->is_begun = 0;
		return;
	}
	pair->apart_since = 0;
	if (step == MCAST_STEP_ANEW) {
		mcast_begin_pair(pair, taken);
		position = MCAST_PAIR_START;
	} else if (step == MCAST_STEP_IN) {
		pair->base = pair->decided = position;
	}
	MCAST_FORGET();
	mcast_take_numbers(pair, taken, position, count, now);
}

/* --- Streams ---------------------------------------------------------------------------------- */

/* What the pair is told of a packet that has been counted in the leg's stream; `leg`: as it was then. */
MCAST_INLINE void mcast_tell(struct mcast_taken *taken, const struct mcast_stream *stream,
			     const struct mcast_datagram *datagram,
			     const struct mcast_stream_leg *leg)
{
	uint8_t format = stream->format;

	taken->leg = (leg->number - 1) & 1;
	taken->step = stream->step ? stream->step : 1;
	taken->identity[0] = stream->identity[0];
	taken->identity[1] = stream->identity[1];
	taken->identity[2] = stream->identity[2];
	__builtin_memcpy(taken->source, datagram->key.source, sizeof(taken->source));
	taken->format = format == MCAST_FORMAT_RTP_MPEGTS ? MCAST_FORMAT_RTP : format;
	taken->mask = datagram->mask;
	taken->number = datagram->number;
	taken->count = datagram->numbers;
	taken->is_two = 0;
	if (format == MCAST_FORMAT_NONE || format == MCAST_FORMAT_MPEGTS)
		taken->mask = 0;
	if (format == MCAST_FORMAT_SACN || format == MCAST_FORMAT_MOLDUDP64 || stream->size == 1)
		return;
	/* A number out of sequence has a place when the next one follows it, and both have come then. */
	if (!leg->numbers)
		taken->mask = 0;
	taken->is_two = leg->numbers == 2;
	if (taken->is_two) {
		taken->number = (taken->number - taken->step) & taken->mask;
		taken->count = 2;
		taken->first_at = datagram->before;
	}
}

#endif
