/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set algebra on source lists: addresses of `width` bytes (4 or 16) in network order, one after the
 * other, strictly ascending by memcmp(): the bytes of a group record. Counts are addresses, not
 * bytes. No alignment is asked of any pointer. The caller owns every buffer; outputs overlap neither
 * an input nor each other, and up to the room asked for, bytes behind the result may be overwritten.
 */
#ifndef MCAST_SOURCE_LIST_H
#define MCAST_SOURCE_LIST_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that an intersection may write behind the room its result can need: two blocks of 64, as its
 * two halves may go on at the same time. */
enum { MCAST_LIST_SLACK = 128 };

/* How many addresses, from the first on, are strictly ascending; `n` if they are a source list. */
size_t mcast_list_ascending(const uint8_t *addresses, size_t n, size_t width);

/* Sorts `n` addresses in place and drops repeated ones; `spare` has room for as many and is left
 * with undefined contents. Returns how many are left. */
size_t mcast_list_normalise(uint8_t *addresses, size_t n, size_t width, uint8_t *spare);

/* Addresses in `a` or `b`; `out` has room for na + nb. Returns how many were written. */
size_t mcast_list_union(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, size_t width,
			uint8_t *out);

/* Addresses in both; `out` has room for the smaller of na and nb and MCAST_LIST_SLACK bytes more.
 * Returns how many were written. */
size_t mcast_list_intersection(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
			       size_t width, uint8_t *out);

/* Addresses in `a` and not in `b`; `out` has room for na. Returns how many were written. */
size_t mcast_list_difference(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, size_t width,
			     uint8_t *out);

/* Both differences in one pass: what only `a` has goes to `only_a`, with room for na; what only `b`
 * has goes to `only_b`, with room for nb. Returns the length of the first; `n_only_b` receives that
 * of the second. */
size_t mcast_list_difference_pair(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
				  size_t width, uint8_t *only_a, uint8_t *only_b, size_t *n_only_b);

/* 1 if every address of `a` is in `b`, else 0. */
int mcast_list_is_subset(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, size_t width);

/* 1 if `address` is in the list, else 0. */
int mcast_list_contains(const uint8_t *list, size_t n, const uint8_t *address, size_t width);

#endif
