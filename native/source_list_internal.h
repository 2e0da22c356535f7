/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain and the vector forms of the set algebra share. */
#ifndef MCAST_SOURCE_LIST_INTERNAL_H
#define MCAST_SOURCE_LIST_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "source_list.h"

#define always_inline inline __attribute__((always_inline))

/* Which addresses of two lists an operation keeps. */
enum keep { KEEP_ALL, KEEP_COMMON, KEEP_ONLY_A, KEEP_ONLY_EACH };

/* Two lists that are still to be merged, and where the result goes. `out_b` is used by
 * KEEP_ONLY_EACH alone: it receives what only `b` has. */
struct merge {
	const uint8_t *a, *a_end;
	const uint8_t *b, *b_end;
	uint8_t *out, *out_b;
};

static always_inline uint32_t be32(const uint8_t *address)
{
	uint32_t value;

	memcpy(&value, address, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap32(value);
#endif
	return value;
}

static always_inline uint64_t be64(const uint8_t *address)
{
	uint64_t value;

	memcpy(&value, address, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return value;
}

/* Whether `a` comes before `b`, without a branch. */
static always_inline int before(const uint8_t *a, const uint8_t *b, size_t width)
{
	if (width == 4)
		return be32(a) < be32(b);
#ifdef __SIZEOF_INT128__
	return ((__uint128_t)be64(a) << 64 | be64(a + 8)) <
	       ((__uint128_t)be64(b) << 64 | be64(b + 8));
#else
	uint64_t a_high = be64(a), b_high = be64(b);

	return (a_high < b_high) | ((a_high == b_high) & (be64(a + 8) < be64(b + 8)));
#endif
}

static always_inline void copy_address(uint8_t *to, const uint8_t *from, size_t width)
{
	memcpy(to, from, width == 4 ? 4 : 16);
}

/* Keeps the compiler from turning arithmetic on a truth value into a jump, which nothing could
 * predict. */
static always_inline unsigned int no_branch(int truth)
{
	unsigned int value = (unsigned int)truth;

	__asm__("" : "+r"(value));
	return value;
}

/* `a` if `truth` is 1, `b` if it is 0. */
static always_inline const uint8_t *choose(size_t truth, const uint8_t *a, const uint8_t *b)
{
	return (const uint8_t *)((uintptr_t)b ^ (((uintptr_t)a ^ (uintptr_t)b) & -truth));
}

static always_inline size_t left_in(const uint8_t *from, const uint8_t *end, size_t width)
{
	return (size_t)(end - from) / width;
}

static always_inline size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many steps of at most `step` bytes in each list need no look at the ends. */
static always_inline size_t safe_steps(const struct merge *m, size_t step)
{
	return smaller(left_in(m->a, m->a_end, step), left_in(m->b, m->b_end, step));
}

/* How many addresses of the list come before `address`. */
size_t mcast_list_lower_bound(const uint8_t *list, size_t n, const uint8_t *address, size_t width);

/* Splits off the upper part of both lists at the middle of `a`. Its results go where the lower
 * part's, at their longest, end; those of an intersection behind what that may write beyond its end,
 * a whole block: the list that it writes blocks of may be the longer one. */
static always_inline struct merge split(struct merge *low, size_t width, enum keep keep)
{
	size_t na = left_in(low->a, low->a_end, width) / 2;
	size_t nb = mcast_list_lower_bound(low->b, left_in(low->b, low->b_end, width),
					   low->a + na * width, width);
	struct merge high = {
		.a = low->a + na * width,
		.a_end = low->a_end,
		.b = low->b + nb * width,
		.b_end = low->b_end,
		.out_b = keep == KEEP_ONLY_EACH ? low->out_b + nb * width : NULL,
	};
	size_t room = keep == KEEP_ALL ? na + nb : keep == KEEP_COMMON ? smaller(na, nb) : na;

	high.out = low->out + room * width + (keep == KEEP_COMMON ? MCAST_LIST_SLACK / 2 : 0);
	low->a_end = high.a;
	low->b_end = high.b;
	return high;
}

static always_inline void join(struct merge *low, const struct merge *high, const uint8_t *out,
			       const uint8_t *out_b, enum keep keep)
{
	size_t length = (size_t)(high->out - out);

	memmove(low->out, out, length);
	low->out += length;
	if (keep == KEEP_ONLY_EACH) {
		length = (size_t)(high->out_b - out_b);
		memmove(low->out_b, out_b, length);
		low->out_b += length;
	}
	low->a = high->a;
	low->a_end = high->a_end;
	low->b = high->b;
	low->b_end = high->b_end;
}

/* Merges to the end of both lists, in plain C. */
void mcast_merge_plain(struct merge *m, size_t width, enum keep keep);

#if defined(__x86_64__)
/* The same with vectors of 32 bytes. */
void mcast_merge_avx2(struct merge *m, size_t width, enum keep keep);
#endif

#endif
