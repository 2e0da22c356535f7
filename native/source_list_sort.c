/* SPDX-License-Identifier: Apache-2.0 */
#include "source_list.h"
#include "source_list_internal.h"

/* Up to here an insertion sort is the fastest. */
enum { INSERTION_MOST = 16 };

/* From here on passes over the bytes of the addresses are faster than merging. */
enum { RADIX_LEAST = 96, BUCKETS_LEAST = 128 };

size_t mcast_list_ascending(const uint8_t *addresses, size_t n, size_t width)
{
	size_t i = 1;

	if (n == 0)
		return 0;
	if (width == 4)
		for (; i < n && before(addresses + (i - 1) * 4, addresses + i * 4, 4); i++)
			;
	else
		for (; i < n && before(addresses + (i - 1) * 16, addresses + i * 16, 16); i++)
			;
	return i;
}

/* Drops the repeated ones of `n` sorted addresses; `to` may be `from`, or before it. */
static always_inline size_t drop_repeated(const uint8_t *from, size_t n, size_t width, uint8_t *to)
{
	uint8_t *start = to;

	copy_address(to, from, width);
	to += width;
	for (size_t i = 1; i < n; i++) {
		copy_address(to, from + i * width, width);
		to += (size_t)before(to - width, to, width) * width;
	}
	return (size_t)(to - start) / width;
}

static always_inline size_t insertion_sort(uint8_t *addresses, size_t n, size_t width)
{
	uint8_t address[16];

	if (n == 0)
		return 0;

	for (size_t i = 1; i < n; i++) {
		size_t at = i;

		copy_address(address, addresses + i * width, width);
		for (; at > 0 && before(address, addresses + (at - 1) * width, width); at--)
			copy_address(addresses + at * width, addresses + (at - 1) * width, width);
		copy_address(addresses + at * width, address, width);
	}
	return drop_repeated(addresses, n, width, addresses);
}

/* Sorts `n` addresses at `list`, through `spare`. The result is at `list`, or at `spare` if
 * `to_spare` is set. Merging drops the repeated ones on the way. */
static size_t merge_sort(uint8_t *list, size_t n, size_t width, uint8_t *spare, int to_spare)
{
	size_t half = n / 2, n_low, n_high;
	uint8_t *high = list + half * width, *spare_high = spare + half * width;

	if (n <= INSERTION_MOST) {
		n = width == 4 ? insertion_sort(list, n, 4) : insertion_sort(list, n, 16);
		if (to_spare)
			memcpy(spare, list, n * width);
		return n;
	}
	n_low = merge_sort(list, half, width, spare, !to_spare);
	n_high = merge_sort(high, n - half, width, spare_high, !to_spare);
	if (to_spare)
		return mcast_list_union(list, n_low, high, n_high, width, spare);
	return mcast_list_union(spare, n_low, spare_high, n_high, width, list);
}

/* Moves the addresses to where their bytes at `place` say; equal ones stay in their order. */
static always_inline void sort_by_byte(const uint8_t *from, size_t n, size_t width, size_t place,
				       const size_t counts[256], uint8_t *to)
{
	size_t starts[256], start = 0;

	for (size_t digit = 0; digit < 256; digit++) {
		starts[digit] = start;
		start += counts[digit];
	}
	for (size_t i = 0; i < n; i++, from += width)
		copy_address(to + width * starts[from[place]]++, from, width);
}

/* Sorts IPv4 addresses by each byte, from the last to the first. */
static size_t radix_sort(uint8_t *addresses, size_t n, uint8_t *spare)
{
	size_t counts[4][256] = { 0 };
	uint8_t *from = addresses, *to = spare;

	for (size_t i = 0; i < n; i++)
		for (size_t place = 0; place < 4; place++)
			counts[place][addresses[4 * i + place]]++;
	for (size_t place = 4; place-- > 0;) {
		uint8_t *sorted = to;

		if (counts[place][from[place]] == n)
			continue;
		sort_by_byte(from, n, 4, place, counts[place], sorted);
		to = from;
		from = sorted;
	}
	return drop_repeated(from, n, 4, addresses);
}

static void count_bytes(const uint8_t *addresses, size_t n, size_t place, size_t counts[256])
{
	memset(counts, 0, 256 * sizeof(counts[0]));
	for (size_t i = 0; i < n; i++)
		counts[addresses[16 * i + place]]++;
}

/* As merge_sort(), for IPv6 addresses that are the same before `place`: puts them into buckets by
 * the first byte in which they differ, and sorts each bucket. */
static size_t bucket_sort(uint8_t *list, size_t n, size_t place, uint8_t *spare, int to_spare)
{
	uint8_t *result = to_spare ? spare : list, *end = result;
	size_t counts[256], start = 0;

	if (n < BUCKETS_LEAST)
		return merge_sort(list, n, 16, spare, to_spare);
	for (; place < 16; place++) {
		count_bytes(list, n, place, counts);
		if (counts[list[place]] < n)
			break;
	}
	if (place == 16) {
		copy_address(result, list, 16);
		return 1;
	}
	sort_by_byte(list, n, 16, place, counts, spare);
	for (size_t digit = 0; digit < 256; start += counts[digit], digit++) {
		size_t left = bucket_sort(spare + 16 * start, counts[digit], place + 1,
					  list + 16 * start, !to_spare);

		if (end != result + 16 * start)
			memmove(end, result + 16 * start, 16 * left);
		end += 16 * left;
	}
	return (size_t)(end - result) / 16;
}

size_t mcast_list_normalise(uint8_t *addresses, size_t n, size_t width, uint8_t *spare)
{
	if (mcast_list_ascending(addresses, n, width) == n)
		return n;
	if (width == 4 && n >= RADIX_LEAST)
		return radix_sort(addresses, n, spare);
	if (width == 16 && n >= BUCKETS_LEAST)
		return bucket_sort(addresses, n, 0, spare, 0);
	return merge_sort(addresses, n, width, spare, 0);
}
