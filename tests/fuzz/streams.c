/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of any bytes, as a capture has them: nothing outside of them is read, what is counted adds up, a
 * table never grows beyond its room, and the short way finds what the long one does. */
#include <stdbool.h>

#include "streams.h"
#include "model.h"

enum { ROOM = 4, FIELDS = 4 }; /* of a packet: how long it is, how much was cut, its link, the time */

static void check(const struct mcast_stream_entry *entry)
{
	const struct mcast_stream *stream = &entry->stream;
	uint64_t gaps = 0;
	size_t i;

	for (i = 0; i < MCAST_GAPS; i++)
		gaps += stream->gaps[i];
	for (; i < MCAST_GAP_ROOM; i++)
		require(stream->gaps[i] == 0);
	require(stream->packets > 0 && gaps == stream->packets - 1);
	require(stream->bytes >= 28 * stream->packets && stream->bytes <= 65575 * stream->packets);
	require(stream->format < MCAST_FORMATS && stream->pids_known <= MCAST_PIDS);
	require(stream->span <= 64 && entry->key.tags <= 2);
	require(entry->key.width == 4 || entry->key.width == 16);
	if (stream->format == MCAST_FORMAT_RTP || stream->format == MCAST_FORMAT_RTP_MPEGTS)
		require(stream->received + stream->duplicates <= stream->packets);
	/* No step is beyond the dropout that is believed, and none is taken back twice. */
	if (stream->format != MCAST_FORMAT_MOLDUDP64)
		require(stream->lost <= 3000 * stream->packets);
}

/* Each number is decided once, on each leg in one way. */
static void check_pair(const struct mcast_pair *kept, uint64_t now)
{
	static struct mcast_pair pair;
	uint64_t decided, came[2] = { 0 }, i, leg;

	pair = *kept;
	mcast_pair_look(&pair, now);
	decided = pair.both + pair.neither + pair.legs[0].alone + pair.legs[1].alone;
	require(pair.decided <= pair.highest + 1 || !pair.is_begun);
	require(!pair.is_begun || pair.highest + 1 - pair.decided <= MCAST_PAIR_NUMBERS);
	require(pair.marks_end - pair.marks_begin <= MCAST_PAIR_MARKS);
	for (i = 0; i < MCAST_PAIR_WORDS; i++)
		for (leg = 0; leg < 2; leg++)
			came[leg] += (uint64_t)__builtin_popcountll(pair.came[leg][i]);
	for (leg = 0; leg < 2; leg++) {
		require(pair.legs[leg].brought >= pair.both + pair.legs[leg].alone + came[leg]);
		require(pair.legs[leg].packets == 0 || pair.legs[leg].is_known);
	}
	mcast_pair_look(&pair, now + 2 * pair.window);
	for (i = 0; i < MCAST_PAIR_WORDS; i++)
		require(!(pair.came[0][i] | pair.came[1][i]));
	require(pair.both + pair.neither + pair.legs[0].alone + pair.legs[1].alone >= decided);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mcast_stream_format formats[] = {
		{.group = {239, 1}, .mask = {255, 255}, .width = 4, .format = MCAST_FORMAT_MOLDUDP64},
		{.group = {239, 2}, .mask = {255, 255}, .width = 4, .format = MCAST_FORMAT_CUSTOM,
		 .size = 8, .count = 3},
		{.group = {239, 3}, .mask = {255, 255}, .width = 4, .format = MCAST_FORMAT_CUSTOM,
		 .size = 1, .offset = 9, .count = 1},
	};
	/* Groups as near each other as a mutation makes them: one bit, or the port's. */
	static const struct mcast_leg_key legs[] = {
		{.ifindex = 0, .port = 5004, .width = 4, .group = {239, 3, 1, 1}},
		{.ifindex = 1, .port = 5004, .width = 4, .group = {239, 3, 1, 1}},
		{.ifindex = 0, .port = 5004, .width = 4, .group = {239, 1, 1, 1}},
		{.ifindex = 1, .port = 5004, .width = 4, .group = {239, 1, 1, 1}},
		{.ifindex = 0, .port = 5004, .width = 4, .group = {239, 5, 1, 1}},
		{.ifindex = 1, .port = 5004, .width = 4, .group = {239, 5, 1, 1}},
	};
	struct mcast_stream_table *table = mcast_streams_new(ROOM, formats, 3, 7);
	uint64_t now = 1, taken = 0, counted = 0;
	size_t length, cut, i;
	uint8_t *copy;

	require(table != NULL);
	require(mcast_streams_pair(table, 0) == NULL);
	require(mcast_streams_use_legs(table, legs, 6, 150000000));
	while (size >= FIELDS) {
		length = 4u * data[0] < size - FIELDS ? 4u * data[0] : size - FIELDS;
		cut = data[1];
		now += (uint64_t)data[3] << (data[3] & 31);
		copy = copy_of(data + FIELDS, length);
		require(mcast_streams_ways_agree(copy, length) != 2);
		mcast_streams_take(table, copy, length, length + cut, data[2] % 3, data[2] >> 7, now);
		taken++;
		free(copy);
		data += FIELDS + length;
		size -= FIELDS + length;
	}
	require(mcast_streams_count(table) <= ROOM);
	for (i = 0; i < mcast_streams_count(table); i++) {
		check(mcast_streams_entry(table, i));
		counted += mcast_streams_entry(table, i)->stream.packets;
	}
	counted += mcast_streams_rest(table).fragments + mcast_streams_rest(table).untracked;
	require(counted <= taken);
	require(mcast_streams_entry(table, i) == NULL);
	for (i = 0; i < 3; i++)
		check_pair(mcast_streams_pair(table, i), now);
	require(mcast_streams_pair(table, MCAST_PAIRS) == NULL);
	mcast_streams_free(table);
	return 0;
}
