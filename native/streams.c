/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/streams.h"
#include "../bpf/pairs.h"
#include "streams.h"

/* No IP packet is longer, and no frame is read further. */
enum { LONGEST = 0x1ffff };

enum { NOBODY = 0xffffffff };

struct mcast_stream_table {
	struct mcast_stream_entry *entries;
	uint32_t *places; /* numbers of entries, scattered; NOBODY where there is none */
	size_t count, room, most, mask;
	struct mcast_stream_rest rest;
	uint64_t seed;
	struct mcast_stream_format formats[MCAST_STREAM_FORMATS];
	struct mcast_leg_key legs[MCAST_PAIRS * MCAST_LEGS_OF_PAIR];
	size_t legs_count;
	struct mcast_pair *pairs;
};

MCAST_INLINE bool mcast_bytes(const struct mcast_source *source, uint32_t offset, void *to,
			      uint32_t size)
{
	if (offset > source->captured || size > source->captured - offset)
		return false;
	memcpy(to, (const uint8_t *)source->context + offset, size);
	return true;
}

struct mcast_stream_table *mcast_streams_new(size_t most, const struct mcast_stream_format *formats,
					     size_t count, uint64_t seed)
{
	struct mcast_stream_table *table = calloc(1, sizeof(*table));
	size_t places = 16, i;

	if (!table)
		return NULL;
	while (places < 2 * most)
		places *= 2;
	table->places = malloc(places * sizeof(*table->places));
	if (!table->places) {
		free(table);
		return NULL;
	}
	for (i = 0; i < places; i++)
		table->places[i] = NOBODY;
	table->most = most;
	table->mask = places - 1;
	table->seed = seed;
	for (i = 0; i < count && i < MCAST_STREAM_FORMATS; i++)
		table->formats[i] = formats[i];
	return table;
}

void mcast_streams_free(struct mcast_stream_table *table)
{
	if (!table)
		return;
	free(table->entries);
	free(table->places);
	free(table->pairs);
	free(table);
}

static size_t scattered(const struct mcast_stream_table *table, const struct mcast_stream_key *key)
{
	uint64_t hash = table->seed, word;
	const uint8_t *bytes = (const uint8_t *)key;
	size_t i;

	for (i = 0; i + 4 <= sizeof(*key); i += 4) {
		word = mcast_word(bytes + i);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
	}
	return (size_t)hash & table->mask;
}

/* Makes room for one more entry; false if there is none. */
static bool grow(struct mcast_stream_table *table)
{
	size_t room = table->room ? 2 * table->room : 16;
	struct mcast_stream_entry *entries;

	if (table->count >= table->most)
		return false;
	if (table->count < table->room)
		return true;
	entries = realloc(table->entries, room * sizeof(*entries));
	if (!entries)
		return false;
	table->entries = entries;
	table->room = room;
	return true;
}

/* Which leg such a stream is, from 1; 0 if it is none. */
static uint8_t leg_of(const struct mcast_stream_table *table, const struct mcast_stream_key *key)
{
	const struct mcast_leg_key *leg;
	size_t i;

	for (i = 0; i < table->legs_count; i++) {
		leg = &table->legs[i];
		if ((leg->ifindex == key->ifindex ||
		     leg->ifindex == (uint32_t)MCAST_LEG_ANYWHERE) &&
		    leg->port == key->port && leg->width == key->width &&
		    !memcmp(leg->group, key->group, sizeof(leg->group)))
			return (uint8_t)(i + 1);
	}
	return 0;
}

static struct mcast_stream_entry *find(struct mcast_stream_table *table,
				       const struct mcast_stream_key *key)
{
	size_t place = scattered(table, key), i;
	struct mcast_stream_entry *entry;

	for (; table->places[place] != NOBODY; place = (place + 1) & table->mask) {
		entry = &table->entries[table->places[place]];
		if (!memcmp(&entry->key, key, sizeof(*key)))
			return entry;
	}
	if (!grow(table))
		return NULL;
	table->places[place] = (uint32_t)table->count;
	entry = &table->entries[table->count++];
	memset(entry, 0, sizeof(*entry));
	entry->key = *key;
	entry->stream.leg.number = leg_of(table, key);
	for (i = 0; i < MCAST_STREAM_FORMATS; i++) {
		if (mcast_is_for(&table->formats[i], key)) {
			mcast_set_format(&entry->stream, &table->formats[i]);
			break;
		}
	}
	return entry;
}

static void count_second(struct mcast_stream_entry *entry, uint32_t bytes, uint64_t now)
{
	int64_t second = (int64_t)(now / 1000000000);

	if (second > entry->second) {
		bool is_next = second == entry->second + 1;

		entry->packets[0] = is_next ? entry->packets[1] : 0;
		entry->bytes[0] = is_next ? entry->bytes[1] : 0;
		entry->packets[1] = entry->bytes[1] = 0;
		entry->second = second;
	}
	if (second + 1 < entry->second)
		return;
	entry->packets[second == entry->second]++;
	entry->bytes[second == entry->second] += bytes;
}

static void find_in(const struct mcast_source *source, struct mcast_datagram *datagram, int link)
{
	const uint8_t *bytes = source->context;

	if (link != MCAST_LINK_IP) {
		if (link == MCAST_LINK_COOKED || (source->captured && bytes[0] & 1))
			mcast_find_datagram(source, datagram);
	} else if (source->captured) {
		mcast_find_in_packet(
			source, datagram,
			bytes[0] >> 4 == 6 ? MCAST_ETHERTYPE_IPV6 : MCAST_ETHERTYPE_IPV4, 0);
	}
}

static void tell(struct mcast_stream_table *table, const struct mcast_stream_entry *entry,
		 const struct mcast_datagram *datagram, uint64_t now)
{
	struct mcast_taken taken = { 0 };

	mcast_tell(&taken, &entry->stream, datagram, &entry->stream.leg);
	mcast_take_in_pair(&table->pairs[(entry->stream.leg.number - 1) / MCAST_LEGS_OF_PAIR],
			   &taken, now);
}

static uint32_t bounded(size_t length)
{
	return length > LONGEST ? LONGEST : (uint32_t)length;
}

void mcast_streams_take(struct mcast_stream_table *table, const uint8_t *bytes, size_t captured,
			size_t length, int link, uint32_t interface, uint64_t now)
{
	struct mcast_source source = {
		.context = (void *)(uintptr_t)bytes,
		.captured = bounded(captured),
		.length = bounded(length > captured ? length : captured),
	};
	struct mcast_datagram datagram = { .key.ifindex = interface };
	struct mcast_stream_entry *entry;

	find_in(&source, &datagram, link);
	if (datagram.found == MCAST_FOUND_FRAGMENT)
		table->rest.fragments++;
	if (datagram.found != MCAST_FOUND_DATAGRAM)
		return;
	entry = find(table, &datagram.key);
	if (!entry) {
		table->rest.untracked++;
		return;
	}
	mcast_count_datagram(&source, &entry->stream, &datagram, now);
	if (entry->stream.leg.number)
		tell(table, entry, &datagram, now);
	count_second(entry, datagram.bytes, now);
}

size_t mcast_streams_count(const struct mcast_stream_table *table)
{
	return table->count;
}

struct mcast_stream_rest mcast_streams_rest(const struct mcast_stream_table *table)
{
	return table->rest;
}

const struct mcast_stream_entry *mcast_streams_entry(const struct mcast_stream_table *table,
						     size_t number)
{
	return number < table->count ? &table->entries[number] : NULL;
}

_Bool mcast_streams_use_legs(struct mcast_stream_table *table, const struct mcast_leg_key *legs,
			     size_t count, uint64_t window)
{
	size_t i;

	if (count > MCAST_PAIRS * MCAST_LEGS_OF_PAIR)
		count = MCAST_PAIRS * MCAST_LEGS_OF_PAIR;
	if (!table->pairs)
		table->pairs = calloc(MCAST_PAIRS, sizeof(*table->pairs));
	if (!table->pairs)
		return false;
	for (i = 0; i < MCAST_PAIRS; i++)
		table->pairs[i].window = window;
	memcpy(table->legs, legs, count * sizeof(*legs));
	table->legs_count = count;
	for (i = 0; i < table->count; i++)
		table->entries[i].stream.leg.number = leg_of(table, &table->entries[i].key);
	return true;
}

const struct mcast_pair *mcast_streams_pair(const struct mcast_stream_table *table, size_t number)
{
	return table->pairs && number < MCAST_PAIRS ? &table->pairs[number] : NULL;
}

void mcast_pair_look(struct mcast_pair *pair, uint64_t now)
{
	mcast_pass(pair, now > pair->latest ? now : pair->latest);
}

int mcast_streams_ways_agree(const uint8_t *bytes, size_t length)
{
	struct mcast_source source = {
		.context = (void *)(uintptr_t)bytes,
		.captured = bounded(length),
		.length = bounded(length),
	};
	struct mcast_datagram quick, thorough;

	memset(&quick, 0, sizeof(quick));
	memset(&thorough, 0, sizeof(thorough));
	if (!mcast_is_usual_datagram(&quick, bytes, bytes + source.captured))
		return 0;
	mcast_find_datagram(&source, &thorough);
	if (quick.has_start) { /* which the other way does not look for */
		thorough.has_start = 1;
		if (!mcast_bytes(&source, thorough.payload, thorough.start, sizeof(thorough.start)))
			return 2;
	}
	return memcmp(&quick, &thorough, sizeof(quick)) ? 2 : 1;
}
