/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses in any order, at any alignment, sorted, against a plain model. */
#include "cpu.h"
#include "model.h"
#include "source_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t width, n, offset;

	if (size == 0)
		return 0;
	width = data[0] & 1 ? 16 : 4;
	offset = data[0] >> 4;
	n = (size - 1) / width;
	for (int level = MCAST_SIMD_NONE; level <= MCAST_SIMD_AVX2; level++) {
		uint8_t *buffer = exactly(offset + n * width), *spare = exactly(n * width);
		uint8_t *addresses = buffer + offset;
		struct model_list expected = model_from(data + 1, n, width);

		mcast_simd_limit(level);
		memcpy(addresses, data + 1, n * width);
		require((mcast_list_ascending(addresses, n, width) == n) ==
			(n == expected.n && memcmp(addresses, expected.bytes, n * width) == 0));
		model_check(&expected, addresses, mcast_list_normalise(addresses, n, width, spare));
		free(buffer);
		free(spare);
		free(expected.bytes);
	}
	return 0;
}
