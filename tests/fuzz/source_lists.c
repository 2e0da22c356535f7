/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation on two lists, at every level of vector instructions, against a plain model. */
#include "cpu.h"
#include "model.h"
#include "source_list.h"

static struct model_list keep(const struct model_list *from, const struct model_list *other,
			      int wanted)
{
	struct model_list kept = model_empty(from->n, from->width);

	for (size_t i = 0; i < from->n; i++)
		if (model_has(other, from->bytes + i * from->width) == wanted)
			model_add(&kept, from->bytes + i * from->width);
	return kept;
}

static void check_union(const struct model_list *a, const struct model_list *b)
{
	struct model_list expected = model_empty(a->n + b->n, a->width);
	uint8_t *out = exactly((a->n + b->n) * a->width);

	for (size_t i = 0; i < a->n; i++)
		model_add(&expected, a->bytes + i * a->width);
	for (size_t i = 0; i < b->n; i++)
		model_add(&expected, b->bytes + i * b->width);
	model_check(&expected, out, mcast_list_union(a->bytes, a->n, b->bytes, b->n, a->width, out));
	free(out);
	free(expected.bytes);
}

static void check_intersection(const struct model_list *a, const struct model_list *b)
{
	struct model_list expected = keep(a, b, 1);
	size_t room = (a->n < b->n ? a->n : b->n) * a->width + MCAST_LIST_SLACK;
	uint8_t *out = exactly(room);

	model_check(&expected, out,
		    mcast_list_intersection(a->bytes, a->n, b->bytes, b->n, a->width, out));
	free(out);
	free(expected.bytes);
}

static void check_differences(const struct model_list *a, const struct model_list *b)
{
	struct model_list only_a = keep(a, b, 0), only_b = keep(b, a, 0);
	uint8_t *out_a = exactly(a->n * a->width), *out_b = exactly(b->n * b->width);
	size_t n_b;

	model_check(&only_a, out_a,
		    mcast_list_difference(a->bytes, a->n, b->bytes, b->n, a->width, out_a));
	model_check(&only_a, out_a,
		    mcast_list_difference_pair(a->bytes, a->n, b->bytes, b->n, a->width, out_a,
					       out_b, &n_b));
	model_check(&only_b, out_b, n_b);
	require(mcast_list_is_subset(a->bytes, a->n, b->bytes, b->n, a->width) == (only_a.n == 0));
	for (size_t i = 0; i < a->n; i++)
		require(mcast_list_contains(b->bytes, b->n, a->bytes + i * a->width, a->width) ==
			model_has(b, a->bytes + i * a->width));
	free(out_a);
	free(out_b);
	free(only_a.bytes);
	free(only_b.bytes);
}

/* The first byte says how wide the addresses are, where the bytes are cut in two and whether only
 * few bits of an address count, so that lists have much in common. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t width, n, cut;
	struct model_list a, b;
	uint8_t *addresses;

	if (size == 0)
		return 0;
	width = data[0] & 1 ? 16 : 4;
	n = (size - 1) / width;
	cut = n * (data[0] >> 4) / 15;
	addresses = copy_of(data + 1, n * width);
	for (size_t i = 0; data[0] & 2 && i < n * width; i++)
		addresses[i] &= i % width == width - 1 ? 0xff : i % width == 0 ? 1 : 0;
	a = model_from(addresses, cut, width);
	b = model_from(addresses + cut * width, n - cut, width);
	for (int level = MCAST_SIMD_NONE; level <= MCAST_SIMD_AVX2; level++) {
		mcast_simd_limit(level);
		check_union(&a, &b);
		check_intersection(&a, &b);
		check_differences(&a, &b);
	}
	free(addresses);
	free(a.bytes);
	free(b.bytes);
	return 0;
}
