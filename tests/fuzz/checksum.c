/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of any bytes, at any alignment, against the sum word by word. */
#include "checksum.h"
#include "cpu.h"
#include "model.h"

static uint32_t model_sum(const uint8_t *data, size_t length, uint64_t sum)
{
	for (size_t i = 0; i < length; i++)
		sum += (uint64_t)data[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static void check_update(const uint8_t *data, size_t length)
{
	uint32_t before = model_sum(data, length, 0) ^ 0xffff, removed, added = 0x1234, after;

	if (length < 2)
		return;
	removed = (uint32_t)(data[0] << 8 | data[1]);
	after = model_sum(data + 2, length - 2, added) ^ 0xffff;
	require(mcast_checksum_update(before, removed, added) % 0xffff == after % 0xffff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy, *message;
	size_t offset, length;
	uint32_t initial;

	if (size < 5 + 32)
		return 0;
	memcpy(&initial, data + 1, sizeof(initial));
	offset = data[0] % 64;
	length = size - 5;
	copy = exactly(offset + length);
	message = copy + offset;
	memcpy(message, data + 5, length);
	check_update(message, length);
	for (int level = MCAST_SIMD_NONE; level <= MCAST_SIMD_AVX2; level++) {
		uint64_t pseudo_header = (length - 32) + 58;

		mcast_simd_limit(level);
		require(mcast_checksum_sum(message, length, initial) ==
			model_sum(message, length, initial));
		require(mcast_checksum_icmpv6(message, message + 16, message + 32, length - 32) ==
			(model_sum(message, length, pseudo_header) ^ 0xffff));
	}
	free(copy);
	return 0;
}
