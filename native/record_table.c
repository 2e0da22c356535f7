/* SPDX-License-Identifier: Apache-2.0 */
#include "record_table.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256, FIRST_SHELVES = 8 };

struct mcast_record_block {
	size_t count;
	struct mcast_record records[BLOCK];
};

/* The last shelf that may hold the group; the first one if it is below them all. */
static size_t shelf_of(const struct mcast_record_table *table, const uint8_t *group)
{
	size_t low = 0, high = table->used;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(table->shelves[middle].from, group, table->width) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The first slot whose group is not below `group`. */
static size_t slot_of(const struct mcast_record_block *block, const uint8_t *group, size_t width)
{
	size_t low = 0, high = block->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(block->records[middle].group, group, width) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int is_at(const struct mcast_record_block *block, size_t slot, const uint8_t *group,
		 size_t width)
{
	return slot < block->count && !memcmp(block->records[slot].group, group, width);
}

struct mcast_record_place mcast_records_from(const struct mcast_record_table *table,
					     const uint8_t *group, int behind)
{
	struct mcast_record_place place = { 0, 0 };
	const struct mcast_record_block *block;

	if (!table->used)
		return place;
	place.shelf = shelf_of(table, group);
	block = table->shelves[place.shelf].block;
	place.slot = slot_of(block, group, table->width);
	if (behind && is_at(block, place.slot, group, table->width))
		place.slot++;
	return place;
}

const struct mcast_record *mcast_records_next(const struct mcast_record_table *table,
					      struct mcast_record_place *place)
{
	while (place->shelf < table->used) {
		const struct mcast_record_block *block = table->shelves[place->shelf].block;

		if (place->slot < block->count)
			return &block->records[place->slot++];
		place->shelf++;
		place->slot = 0;
	}
	return NULL;
}

/* A new block on a shelf of its own, at `at`. NULL without memory. */
static struct mcast_record_block *new_shelf(struct mcast_record_table *table, size_t at,
					    const uint8_t *from)
{
	struct mcast_record_block *block;

	if (table->used == table->room) {
		size_t room = table->room ? 2 * table->room : FIRST_SHELVES;
		void *shelves = realloc(table->shelves, room * sizeof(*table->shelves));

		if (!shelves)
			return NULL;
		table->shelves = shelves;
		table->room = room;
	}
	block = malloc(sizeof(*block));
	if (!block)
		return NULL;
	block->count = 0;
	memmove(&table->shelves[at + 1], &table->shelves[at],
		(table->used - at) * sizeof(*table->shelves));
	table->shelves[at].block = block;
	memcpy(table->shelves[at].from, from, table->width);
	table->used++;
	return block;
}

/* Moves the upper half of a full block to a shelf behind it. 0, or -1 without memory. */
static int split(struct mcast_record_table *table, size_t shelf)
{
	struct mcast_record_block *full = table->shelves[shelf].block;
	struct mcast_record *upper = &full->records[BLOCK / 2];
	struct mcast_record_block *block = new_shelf(table, shelf + 1, upper->group);

	if (!block)
		return -1;
	block->count = full->count - BLOCK / 2;
	memcpy(block->records, upper, block->count * sizeof(*upper));
	full->count = BLOCK / 2;
	return 0;
}

/* Makes room for a record in the middle of a block that is not full. */
static struct mcast_record *insert(struct mcast_record_block *block, size_t slot,
				   const uint8_t *group, size_t width)
{
	struct mcast_record *record = &block->records[slot];

	memmove(record + 1, record, (block->count - slot) * sizeof(*record));
	block->count++;
	memset(record, 0, sizeof(*record));
	memcpy(record->group, group, width);
	return record;
}

struct mcast_record *mcast_records_put(struct mcast_record_table *table, const uint8_t *group)
{
	struct mcast_record_block *block;
	size_t shelf, slot;

	if (!table->used && !new_shelf(table, 0, group))
		return NULL;
	shelf = shelf_of(table, group);
	block = table->shelves[shelf].block;
	slot = slot_of(block, group, table->width);
	if (is_at(block, slot, group, table->width))
		return &block->records[slot];
	if (block->count == BLOCK) {
		if (split(table, shelf) < 0)
			return NULL;
		return mcast_records_put(table, group);
	}
	if (slot == 0 && memcmp(group, table->shelves[shelf].from, table->width) < 0)
		memcpy(table->shelves[shelf].from, group, table->width);
	table->count++;
	return insert(block, slot, group, table->width);
}

static void remove_shelf(struct mcast_record_table *table, size_t shelf)
{
	free(table->shelves[shelf].block);
	table->used--;
	memmove(&table->shelves[shelf], &table->shelves[shelf + 1],
		(table->used - shelf) * sizeof(*table->shelves));
}

int mcast_records_drop(struct mcast_record_table *table, const uint8_t *group, void **sources)
{
	struct mcast_record_place place = mcast_records_from(table, group, 0);
	struct mcast_record_block *block;
	struct mcast_record *record;

	if (!table->used)
		return 0;
	block = table->shelves[place.shelf].block;
	if (!is_at(block, place.slot, group, table->width))
		return 0;
	record = &block->records[place.slot];
	*sources = record->sources;
	block->count--;
	table->count--;
	memmove(record, record + 1, (block->count - place.slot) * sizeof(*record));
	if (!block->count)
		remove_shelf(table, place.shelf);
	return 1;
}

void mcast_records_clear(struct mcast_record_table *table)
{
	while (table->used)
		free(table->shelves[--table->used].block);
	free(table->shelves);
	table->shelves = NULL;
	table->room = 0;
	table->count = 0;
}
