/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The current-state records of all groups, ascending by group, so that an answer to a general query
 * is one walk through memory. They lie in blocks: to find, add or remove one costs a search among
 * the blocks and moves no more than a block. Groups are addresses of `width` bytes (4 or 16); the
 * sources are the caller's, who is given back what he put in.
 */
#ifndef MCAST_RECORD_TABLE_H
#define MCAST_RECORD_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum { MCAST_LONGEST_ADDRESS = 16 };

/* `type`: the wire's; 0: the group is held, and nothing is told of it. */
struct mcast_record {
	void *sources;
	uint8_t group[MCAST_LONGEST_ADDRESS];
	uint8_t type;
};

struct mcast_record_block;

/* A block, and an address that is not above its first group nor below what is before it. */
struct mcast_record_shelf {
	struct mcast_record_block *block;
	uint8_t from[MCAST_LONGEST_ADDRESS];
};

/* All zeros but for `width` is an empty table. */
struct mcast_record_table {
	struct mcast_record_shelf *shelves;
	size_t used;
	size_t room;
	size_t count;
	size_t width;
};

/* A place in a table, valid until the table changes. */
struct mcast_record_place {
	size_t shelf;
	size_t slot;
};

/* The first place whose group is not below `group`, or with `behind`, above it. */
struct mcast_record_place mcast_records_from(const struct mcast_record_table *table,
					     const uint8_t *group, int behind);

/* The record at a place, which moves on to the next one; NULL at the end. */
const struct mcast_record *mcast_records_next(const struct mcast_record_table *table,
					      struct mcast_record_place *place);

/* The record of `group`, added with no sources and type 0 if there was none; NULL without memory. */
struct mcast_record *mcast_records_put(struct mcast_record_table *table, const uint8_t *group);

/* Removes the record of `group`. 1 if there was one, whose sources `sources` receives, else 0. */
int mcast_records_drop(struct mcast_record_table *table, const uint8_t *group, void **sources);

/* Frees what the table has taken, not the sources. It is empty then. */
void mcast_records_clear(struct mcast_record_table *table);

#endif
