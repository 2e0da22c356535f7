/* SPDX-License-Identifier: Apache-2.0 */
#include "source_list.h"

#include "cpu.h"
#include "source_list_internal.h"

/* From this ratio of lengths on, looking each address of the short list up in the long one is
 * faster than walking both. */
enum { GALLOP_RATIO = 32 };

/* Two merges at once hide each other's latency; below this many addresses, finding where to split
 * costs more than that. */
enum { SPLIT_AT_LEAST = 64 };

static always_inline size_t lower_bound(const uint8_t *list, size_t n, const uint8_t *address,
					size_t width)
{
	const uint8_t *base = list;

	if (n == 0)
		return 0;
	while (n > 1) {
		size_t half = n / 2;

		base += (size_t)before(base + (half - 1) * width, address, width) * half * width;
		n -= half;
	}
	return (size_t)(base - list) / width + (size_t)before(base, address, width);
}

size_t mcast_list_lower_bound(const uint8_t *list, size_t n, const uint8_t *address, size_t width)
{
	return width == 4 ? lower_bound(list, n, address, 4) : lower_bound(list, n, address, 16);
}

/* As lower_bound(), for an address that is expected near the front. */
static always_inline size_t gallop(const uint8_t *list, size_t n, const uint8_t *address,
				   size_t width)
{
	size_t low = 0, step = 1;

	while (step <= n - low && before(list + (low + step - 1) * width, address, width)) {
		low += step;
		step *= 2;
	}
	return low + lower_bound(list + low * width, step <= n - low ? step - 1 : n - low, address,
				 width);
}

/* Appends the run [from, to) at *out. */
static always_inline void append(uint8_t **out, const uint8_t *from, const uint8_t *to)
{
	memcpy(*out, from, (size_t)(to - from));
	*out += to - from;
}

/* One address of the result, at most; both lists must have one left. */
static always_inline void merge_one(struct merge *m, size_t width, enum keep keep)
{
	size_t take_a = no_branch(!before(m->b, m->a, width));
	size_t take_b = no_branch(!before(m->a, m->b, width));

	switch (keep) {
	case KEEP_ALL:
		copy_address(m->out, choose(take_a, m->a, m->b), width);
		m->out += width;
		break;
	case KEEP_COMMON:
		copy_address(m->out, m->a, width);
		m->out += (take_a & take_b) * width;
		break;
	case KEEP_ONLY_EACH:
		copy_address(m->out_b, m->b, width);
		m->out_b += (take_b & ~take_a) * width;
		/* fallthrough */
	case KEEP_ONLY_A:
		copy_address(m->out, m->a, width);
		m->out += (take_a & ~take_b) * width;
		break;
	}
	m->a += take_a * width;
	m->b += take_b * width;
}

static always_inline void merge_ends(struct merge *m, enum keep keep)
{
	if (keep != KEEP_COMMON)
		append(&m->out, m->a, m->a_end);
	if (keep == KEEP_ALL)
		append(&m->out, m->b, m->b_end);
	if (keep == KEEP_ONLY_EACH)
		append(&m->out_b, m->b, m->b_end);
	m->a = m->a_end;
	m->b = m->b_end;
}

static always_inline void merge_linear(struct merge *m, size_t width, enum keep keep)
{
	/* Not `m` itself: the compiler would think that it changes with every address written. */
	struct merge p = *m;
	size_t steps;

	while ((steps = safe_steps(&p, width)) > 0)
		while (steps--)
			merge_one(&p, width, keep);
	merge_ends(&p, keep);
	*m = p;
}

static always_inline void merge_split(struct merge *m, size_t width, enum keep keep)
{
	struct merge low = *m, high = split(&low, width, keep);
	const uint8_t *out = high.out, *out_b = high.out_b;
	size_t steps;

	while ((steps = smaller(safe_steps(&low, width), safe_steps(&high, width))) > 0)
		while (steps--) {
			merge_one(&low, width, keep);
			merge_one(&high, width, keep);
		}
	merge_linear(&low, width, keep);
	merge_linear(&high, width, keep);
	join(&low, &high, out, out_b, keep);
	*m = low;
}

static always_inline void merge_walk(struct merge *m, size_t width, enum keep keep)
{
	if (safe_steps(m, width) >= SPLIT_AT_LEAST)
		merge_split(m, width, keep);
	else
		merge_linear(m, width, keep);
}

/* Makes one call with a constant width and operation of each combination, so that each is compiled
 * for itself. */
#define FOR_EACH_FORM(function, m, width, keep) \
	do { \
		switch (keep) { \
		case KEEP_ALL: \
			if ((width) == 4) \
				function(m, 4, KEEP_ALL); \
			else \
				function(m, 16, KEEP_ALL); \
			break; \
		case KEEP_COMMON: \
			if ((width) == 4) \
				function(m, 4, KEEP_COMMON); \
			else \
				function(m, 16, KEEP_COMMON); \
			break; \
		case KEEP_ONLY_A: \
			if ((width) == 4) \
				function(m, 4, KEEP_ONLY_A); \
			else \
				function(m, 16, KEEP_ONLY_A); \
			break; \
		case KEEP_ONLY_EACH: \
			if ((width) == 4) \
				function(m, 4, KEEP_ONLY_EACH); \
			else \
				function(m, 16, KEEP_ONLY_EACH); \
			break; \
		} \
	} while (0)

/* `a` is far shorter than `b`. */
static always_inline void merge_short_a(struct merge *m, size_t width, enum keep keep)
{
	for (; m->a < m->a_end; m->a += width) {
		const uint8_t *at = m->b + width * gallop(m->b, left_in(m->b, m->b_end, width),
							  m->a, width);
		int common = at < m->b_end && memcmp(at, m->a, width) == 0;

		if (keep == KEEP_ALL)
			append(&m->out, m->b, at);
		if (keep == KEEP_ONLY_EACH)
			append(&m->out_b, m->b, at);
		if (keep == KEEP_ALL || (keep == KEEP_COMMON) == common)
			append(&m->out, m->a, m->a + width);
		m->b = at + (common ? width : 0);
	}
	merge_ends(m, keep);
}

/* `b` is far shorter than `a`. */
static always_inline void merge_short_b(struct merge *m, size_t width, enum keep keep)
{
	for (; m->b < m->b_end; m->b += width) {
		const uint8_t *at = m->a + width * gallop(m->a, left_in(m->a, m->a_end, width),
							  m->b, width);
		int common = at < m->a_end && memcmp(at, m->b, width) == 0;

		if (keep != KEEP_COMMON)
			append(&m->out, m->a, at);
		if (keep == KEEP_ALL || (keep == KEEP_COMMON && common))
			append(&m->out, m->b, m->b + width);
		if (keep == KEEP_ONLY_EACH && !common)
			append(&m->out_b, m->b, m->b + width);
		m->a = at + (common ? width : 0);
	}
	merge_ends(m, keep);
}

void mcast_merge_plain(struct merge *m, size_t width, enum keep keep)
{
	size_t na = left_in(m->a, m->a_end, width), nb = left_in(m->b, m->b_end, width);

	if (na < nb / GALLOP_RATIO)
		FOR_EACH_FORM(merge_short_a, m, width, keep);
	else if (nb < na / GALLOP_RATIO)
		FOR_EACH_FORM(merge_short_b, m, width, keep);
	else
		FOR_EACH_FORM(merge_walk, m, width, keep);
}

static void merge(struct merge *m, size_t width, enum keep keep)
{
#if defined(__x86_64__)
	size_t na = left_in(m->a, m->a_end, width), nb = left_in(m->b, m->b_end, width);

	if (mcast_simd_level() >= MCAST_SIMD_AVX2 && na >= nb / GALLOP_RATIO &&
	    nb >= na / GALLOP_RATIO)
		mcast_merge_avx2(m, width, keep);
	else
#endif
		mcast_merge_plain(m, width, keep);
}

static struct merge both_lists(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
			       size_t width, uint8_t *out)
{
	return (struct merge){
		.a = a,
		.a_end = a + na * width,
		.b = b,
		.b_end = b + nb * width,
		.out = out,
	};
}

size_t mcast_list_union(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, size_t width,
			uint8_t *out)
{
	struct merge m = both_lists(a, na, b, nb, width, out);

	merge(&m, width, KEEP_ALL);
	return left_in(out, m.out, width);
}

size_t mcast_list_intersection(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
			       size_t width, uint8_t *out)
{
	struct merge m = both_lists(a, na, b, nb, width, out);

	merge(&m, width, KEEP_COMMON);
	return left_in(out, m.out, width);
}

size_t mcast_list_difference(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, size_t width,
			     uint8_t *out)
{
	struct merge m = both_lists(a, na, b, nb, width, out);

	merge(&m, width, KEEP_ONLY_A);
	return left_in(out, m.out, width);
}

size_t mcast_list_difference_pair(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
				  size_t width, uint8_t *only_a, uint8_t *only_b, size_t *n_only_b)
{
	struct merge m = both_lists(a, na, b, nb, width, only_a);

	m.out_b = only_b;
	merge(&m, width, KEEP_ONLY_EACH);
	*n_only_b = left_in(only_b, m.out_b, width);
	return left_in(only_a, m.out, width);
}

/* Looks at `a` in pieces, so that a long list which is no subset is found out early. */
int mcast_list_is_subset(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, size_t width)
{
	enum { PIECE = 256 };
	uint8_t missing[PIECE * 16];

	while (na > 0) {
		size_t n = smaller(na, PIECE), end;

		if (na > nb)
			return 0;
		end = mcast_list_lower_bound(b, nb, a + (n - 1) * width, width);
		end += end < nb;
		if (mcast_list_difference(a, n, b, end, width, missing))
			return 0;
		a += n * width;
		na -= n;
		b += end * width;
		nb -= end;
	}
	return 1;
}

int mcast_list_contains(const uint8_t *list, size_t n, const uint8_t *address, size_t width)
{
	size_t at = mcast_list_lower_bound(list, n, address, width);

	return at < n && memcmp(list + at * width, address, width) == 0;
}
