/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set algebra with 32-byte vectors. Intersection and differences compare a block of one list
 * with a block of the other, every address with every address, and step on in the list whose block
 * ends first (or both). The union of IPv4 lists merges blocks of 8 in a bitonic network. Where plain
 * C is as fast, which is so for the union and the two differences of IPv6 lists, it is used.
 */
#include "source_list_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,popcnt")))

enum { VECTOR = 32 };

/* Two merges at once hide each other's latency; below this many blocks in each list, finding where to
 * split costs more than that. */
enum { SPLIT_BLOCKS = 64 };

/* Below this many blocks in each list, setting the network up costs more than it saves. */
enum { UNITE_LEAST = 6 };

/* For each set of lanes, which lanes those are, from the first on: one byte each. */
static uint64_t lanes_of[256];

__attribute__((constructor)) static void fill_lanes_of(void)
{
	for (unsigned int set = 0; set < 256; set++)
		for (unsigned int lane = 0, place = 0; lane < 8; lane++)
			if (set >> lane & 1)
				lanes_of[set] |= (uint64_t)lane << 8 * place++;
}

AVX2 static always_inline __m256i load(const uint8_t *from)
{
	return _mm256_loadu_si256((const __m256i *)from);
}

AVX2 static always_inline void store(uint8_t *to, __m256i vector)
{
	_mm256_storeu_si256((__m256i *)to, vector);
}

/* The lanes of `set`, moved to the front. */
AVX2 static always_inline __m256i gather(__m256i vector, unsigned int set)
{
	__m128i lanes = _mm_loadl_epi64((const __m128i *)&lanes_of[set]);

	return _mm256_permutevar8x32_epi32(vector, _mm256_cvtepu8_epi32(lanes));
}

AVX2 static always_inline unsigned int bits_4(__m256i equal)
{
	return (unsigned int)_mm256_movemask_ps(_mm256_castsi256_ps(equal));
}

AVX2 static always_inline __m256i either(__m256i a, __m256i b, __m256i c, __m256i d)
{
	return _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
}

#define TURN_1(v) _mm256_shuffle_epi32(v, 0x39)
#define TURN_2(v) _mm256_shuffle_epi32(v, 0x4e)
#define TURN_3(v) _mm256_shuffle_epi32(v, 0x93)
#define SWAP(v) _mm256_permute2x128_si256(v, v, 1)

/* Which of the 8 addresses at `a` are among the 8 at `b`: bit i for the i-th; and, if `in_a` is not
 * null, which of those at `b` are among those at `a`. */
AVX2 static always_inline unsigned int common_4(const uint8_t *a, const uint8_t *b,
						unsigned int *in_a)
{
	__m256i va = load(a), vb = load(b), vs = SWAP(vb);
	__m256i e0 = _mm256_cmpeq_epi32(va, vb), f0 = _mm256_cmpeq_epi32(va, vs);
	__m256i e1 = _mm256_cmpeq_epi32(va, TURN_1(vb)), f1 = _mm256_cmpeq_epi32(va, TURN_1(vs));
	__m256i e2 = _mm256_cmpeq_epi32(va, TURN_2(vb)), f2 = _mm256_cmpeq_epi32(va, TURN_2(vs));
	__m256i e3 = _mm256_cmpeq_epi32(va, TURN_3(vb)), f3 = _mm256_cmpeq_epi32(va, TURN_3(vs));

	if (in_a) {
		__m256i same = either(e0, TURN_3(e1), TURN_2(e2), TURN_1(e3));
		__m256i other = either(f0, TURN_3(f1), TURN_2(f2), TURN_1(f3));

		*in_a = bits_4(_mm256_or_si256(same, SWAP(other)));
	}
	return bits_4(_mm256_or_si256(either(e0, e1, e2, e3), either(f0, f1, f2, f3)));
}

AVX2 static always_inline __m256i broadcast_8(const uint8_t *from)
{
	long long value;

	memcpy(&value, from, sizeof(value));
	return _mm256_set1_epi64x(value);
}

AVX2 static always_inline __m256i equal_16(__m256i high, __m256i low, const uint8_t *address)
{
	return _mm256_and_si256(_mm256_cmpeq_epi64(high, broadcast_8(address)),
				_mm256_cmpeq_epi64(low, broadcast_8(address + 8)));
}

/* As common_4(), for 4 addresses of 16 bytes, and only for those at `a`. */
AVX2 static always_inline unsigned int common_16(const uint8_t *a, const uint8_t *b)
{
	__m256i a0 = load(a), a1 = load(a + VECTOR);
	/* The second and the third address change places in these. */
	__m256i high = _mm256_unpacklo_epi64(a0, a1), low = _mm256_unpackhi_epi64(a0, a1);
	__m256i e0 = equal_16(high, low, b), e1 = equal_16(high, low, b + 16);
	__m256i e2 = equal_16(high, low, b + 32), e3 = equal_16(high, low, b + 48);
	__m256i found = either(e0, e1, e2, e3);
	unsigned int set = (unsigned int)_mm256_movemask_pd(_mm256_castsi256_pd(found));

	return (set & 9) | (set & 2) << 1 | (set & 4) >> 1;
}

/* The lanes of two addresses of 16 bytes. */
static const uint8_t pair_lanes[4] = { 0, 0x0f, 0xf0, 0xff };

/* Writes a whole block, the addresses in `set` first. Returns their number. */
AVX2 static always_inline size_t write_set(uint8_t *out, const uint8_t *block, unsigned int set,
					   size_t width)
{
	if (width == 4) {
		store(out, gather(load(block), set));
	} else {
		store(out, gather(load(block), pair_lanes[set & 3]));
		store(out + 16 * _mm_popcnt_u32(set & 3),
		      gather(load(block + VECTOR), pair_lanes[set >> 2]));
	}
	return (size_t)_mm_popcnt_u32(set);
}

/* A block whose list goes on, of which the addresses in `common` have been found in blocks that the
 * other list has left behind: removes those, and what is left of the other list from the rest. */
static void finish_block(const uint8_t *block, unsigned int common, size_t lanes,
			 const uint8_t *other, const uint8_t *other_end, size_t width,
			 uint8_t **out, uint8_t *rest, size_t *n_rest)
{
	struct merge m = { .a = rest, .b = other, .b_end = other_end, .out = *out };

	for (size_t lane = 0; lane < lanes; lane++) {
		copy_address(rest, block + lane * width, width);
		rest += (~common >> lane & 1) * width;
	}
	*n_rest = (size_t)(rest - m.a) / width;
	m.a_end = rest;
	mcast_merge_plain(&m, width, KEEP_ONLY_A);
	*out = m.out;
}

/* Ends the differences when one list has less than a block left and the other is in the midst of
 * one: `common_a` or `common_b`, never both, is the set of addresses found so far. */
static void finish_differences(struct merge *m, unsigned int common_a, unsigned int common_b,
			       size_t width, enum keep keep)
{
	uint8_t survivors[2 * VECTOR], others[2 * VECTOR];
	size_t lanes = width == 4 ? 8 : 4, n;
	struct merge short_rest = { .out = others };

	if (common_a) {
		finish_block(m->a, common_a, lanes, m->b, m->b_end, width, &m->out, survivors, &n);
		m->a += lanes * width;
		if (keep == KEEP_ONLY_A)
			return;
		short_rest.a = m->b;
		short_rest.a_end = m->b_end;
	} else {
		finish_block(m->b, common_b, lanes, m->a, m->a_end, width, &m->out_b, survivors,
			     &n);
		m->b += lanes * width;
		short_rest.a = m->a;
		short_rest.a_end = m->a_end;
	}
	short_rest.b = survivors;
	short_rest.b_end = survivors + n * width;
	mcast_merge_plain(&short_rest, width, KEEP_ONLY_A);
	if (common_a) {
		m->b = others;
		m->b_end = short_rest.out;
	} else {
		m->a = others;
		m->a_end = short_rest.out;
	}
	mcast_merge_plain(m, width, keep);
}

/* Two lists in the midst of blocks: `common_a` and `common_b` are the addresses of the present ones
 * that have been found so far. */
struct blocks {
	struct merge m;
	unsigned int common_a, common_b;
};

/* Compares one block with one; both lists must have a whole one left. */
AVX2 static always_inline void block_step(struct blocks *p, size_t width, enum keep keep)
{
	const size_t lanes = width == 4 ? 8 : 4, block = lanes * width;
	const unsigned int all = (1U << lanes) - 1;
	const uint8_t *a_last = p->m.a + block - width, *b_last = p->m.b + block - width;
	unsigned int step_a = no_branch(!before(b_last, a_last, width));
	unsigned int step_b = no_branch(!before(a_last, b_last, width));
	unsigned int in_a = 0, *want_in_a = keep == KEEP_ONLY_EACH ? &in_a : NULL;
	unsigned int in_b = width == 4 ? common_4(p->m.a, p->m.b, want_in_a) :
					 common_16(p->m.a, p->m.b);
	size_t n;

	if (keep == KEEP_COMMON) {
		p->m.out += width * write_set(p->m.out, p->m.a, in_b, width);
	} else {
		p->common_a |= in_b;
		n = write_set(p->m.out, p->m.a, ~p->common_a & all, width);
		p->m.out += width * step_a * n;
		p->common_a &= step_a - 1;
	}
	if (keep == KEEP_ONLY_EACH) {
		p->common_b |= in_a;
		n = write_set(p->m.out_b, p->m.b, ~p->common_b & all, width);
		p->m.out_b += width * step_b * n;
		p->common_b &= step_b - 1;
	}
	p->m.a += step_a * block;
	p->m.b += step_b * block;
}

AVX2 static always_inline struct blocks all_blocks(struct blocks p, size_t width, enum keep keep)
{
	const size_t block = width == 4 ? VECTOR : 2 * VECTOR;
	size_t steps;

	while ((steps = safe_steps(&p.m, block)) > 0)
		while (steps--)
			block_step(&p, width, keep);
	return p;
}

/* Ends a merge of which less than a block is left in one of the lists. */
static struct merge finished(struct blocks p, size_t width, enum keep keep)
{
	if (p.common_a | p.common_b)
		finish_differences(&p.m, p.common_a, p.common_b, width, keep);
	mcast_merge_plain(&p.m, width, keep);
	return p.m;
}

/* Nothing here takes the address of what block_step() works on out of this function: the compiler
 * would think that it changes with every address written. */
AVX2 static always_inline void merge_blocks(struct merge *m, size_t width, enum keep keep)
{
	const size_t block = width == 4 ? VECTOR : 2 * VECTOR;
	struct blocks low = { .m = *m }, high;
	struct merge done_low, done_high;
	const uint8_t *out, *out_b;
	size_t steps;

	/* For both differences there are not enough registers. */
	if (safe_steps(m, block) < SPLIT_BLOCKS || keep == KEEP_ONLY_EACH) {
		*m = finished(all_blocks(low, width, keep), width, keep);
		return;
	}
	high = (struct blocks){ .m = split(&low.m, width, keep) };
	out = high.m.out;
	out_b = high.m.out_b;
	while ((steps = smaller(safe_steps(&low.m, block), safe_steps(&high.m, block))) > 0)
		while (steps--) {
			block_step(&low, width, keep);
			block_step(&high, width, keep);
		}
	done_low = finished(all_blocks(low, width, keep), width, keep);
	done_high = finished(all_blocks(high, width, keep), width, keep);
	join(&done_low, &done_high, out, out_b, keep);
	*m = done_low;
}

/* 8 addresses as numbers, and in reverse order. */
AVX2 static always_inline __m256i numbers(__m256i addresses)
{
	return _mm256_shuffle_epi8(addresses, _mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8,
							       15, 14, 13, 12, 3, 2, 1, 0, 7, 6, 5,
							       4, 11, 10, 9, 8, 15, 14, 13, 12));
}

AVX2 static always_inline __m256i reversed_numbers(__m256i addresses)
{
	return SWAP(_mm256_shuffle_epi8(
		addresses, _mm256_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
					    15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)));
}

/* Sorts 8 numbers that rise and then fall, or fall and then rise. */
AVX2 static always_inline __m256i sort_bitonic(__m256i v)
{
	__m256i w = SWAP(v);

	v = _mm256_blend_epi32(_mm256_min_epu32(v, w), _mm256_max_epu32(v, w), 0xf0);
	w = _mm256_shuffle_epi32(v, 0x4e);
	v = _mm256_blend_epi32(_mm256_min_epu32(v, w), _mm256_max_epu32(v, w), 0xcc);
	w = _mm256_shuffle_epi32(v, 0xb1);
	return _mm256_blend_epi32(_mm256_min_epu32(v, w), _mm256_max_epu32(v, w), 0xaa);
}

/* Ends a union: `high` is what of the blocks taken so far is not written yet. */
static void finish_union(struct merge *m, const uint8_t *high)
{
	uint8_t taken[VECTOR + 4], rest[2 * VECTOR + 4], *end = taken;
	struct merge short_rest = { .a = taken, .out = rest };
	int a_is_short = m->a_end - m->a < m->b_end - m->b;

	/* The last address written may come once more from the other list. */
	m->out -= 4;
	copy_address(end, m->out, 4);
	end += 4;
	for (size_t lane = 0; lane < 8; lane++) {
		copy_address(end, high + 4 * lane, 4);
		end += before(end - 4, end, 4) ? 4 : 0;
	}
	short_rest.a_end = end;
	short_rest.b = a_is_short ? m->a : m->b;
	short_rest.b_end = a_is_short ? m->a_end : m->b_end;
	mcast_merge_plain(&short_rest, 4, KEEP_ALL);
	if (a_is_short) {
		m->a = rest;
		m->a_end = short_rest.out;
	} else {
		m->b = rest;
		m->b_end = short_rest.out;
	}
	mcast_merge_plain(m, 4, KEEP_ALL);
}

/* A union on its way: `high` has the 8 highest numbers taken so far, and the first lane of `last` is
 * the last number written. */
struct uniting {
	struct merge m;
	__m256i high, last;
};

/* The block of whichever list goes on with the lower address. */
static always_inline const uint8_t *next_block(struct merge *m)
{
	size_t take_a = no_branch(before(m->a, m->b, 4));
	const uint8_t *next = choose(take_a, m->a, m->b);

	m->a += take_a * VECTOR;
	m->b += (1 - take_a) * VECTOR;
	return next;
}

AVX2 static always_inline struct uniting start_union(struct merge m)
{
	const uint8_t *first = next_block(&m);

	return (struct uniting){
		.m = m,
		.high = numbers(load(first)),
		.last = _mm256_set1_epi32((int)~be32(first)),
	};
}

/* Takes 8 addresses and writes the 8 lowest, less the repeated ones. */
AVX2 static always_inline void unite_step(struct uniting *p)
{
	const __m256i one_back = _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6);
	__m256i falling = reversed_numbers(load(next_block(&p->m)));
	__m256i low = sort_bitonic(_mm256_min_epu32(p->high, falling));
	__m256i previous = _mm256_permutevar8x32_epi32(low, one_back);
	__m256i repeated = _mm256_cmpeq_epi32(low, _mm256_blend_epi32(previous, p->last, 1));
	unsigned int new = ~bits_4(repeated) & 0xff;

	p->high = sort_bitonic(_mm256_max_epu32(p->high, falling));
	p->last = previous;
	store(p->m.out, gather(numbers(low), new));
	p->m.out += 4 * _mm_popcnt_u32(new);
}

AVX2 static void unite_blocks(struct merge *m)
{
	struct uniting p = start_union(*m);
	uint8_t high[VECTOR];
	size_t steps;

	while ((steps = safe_steps(&p.m, VECTOR)) > 0)
		while (steps--)
			unite_step(&p);
	store(high, numbers(p.high));
	*m = p.m;
	finish_union(m, high);
}

AVX2 void mcast_merge_avx2(struct merge *m, size_t width, enum keep keep)
{
	if (keep == KEEP_ALL && width == 4 && safe_steps(m, VECTOR) >= UNITE_LEAST)
		unite_blocks(m);
	else if (keep == KEEP_COMMON && width == 4)
		merge_blocks(m, 4, KEEP_COMMON);
	else if (keep == KEEP_COMMON)
		merge_blocks(m, 16, KEEP_COMMON);
	else if (keep == KEEP_ONLY_A && width == 4)
		merge_blocks(m, 4, KEEP_ONLY_A);
	else if (keep == KEEP_ONLY_A)
		merge_blocks(m, 16, KEEP_ONLY_A);
	else if (keep == KEEP_ONLY_EACH && width == 4)
		merge_blocks(m, 4, KEEP_ONLY_EACH);
	else
		mcast_merge_plain(m, width, keep);
}

#endif
