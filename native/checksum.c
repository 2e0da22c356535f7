/* SPDX-License-Identifier: Apache-2.0 */
#include "checksum.h"

#include <string.h>

#include "cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ICMPV6 = 58 };

/* Below this many bytes, vectors of 32 bytes cost more to set up than they save. */
enum { AVX2_LEAST = 512 };

static uint32_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/* The sum with words read in host order: RFC 1071 section 2 (B) shows that only the bytes of the
 * result change places. Not folded; no carry is lost below 2^34 bytes. */
static uint64_t sum_plain(const uint8_t *data, size_t length)
{
	uint64_t sum = 0;
	uint32_t word;
	uint16_t half;

	for (; length >= 4; data += 4, length -= 4) {
		memcpy(&word, data, sizeof(word));
		sum += word;
	}
	if (length >= 2) {
		memcpy(&half, data, sizeof(half));
		sum += half;
		data += 2;
		length -= 2;
	}
	if (length) {
		uint8_t padded[2] = { *data, 0 };

		memcpy(&half, padded, sizeof(half));
		sum += half;
	}
	return sum;
}

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2")))

enum { VECTOR = 32, UNROLLED = 4 * VECTOR };

/* madd() adds pairs of signed words into 32 bits: so many times before a sum could overflow. */
enum { MOST_ADDITIONS = 0x3fff };

/* The words are made signed by taking 0x8000 from each; this is what that took from a vector. */
static const uint64_t BIAS = 16 * 0x8000;

AVX2 static inline __m256i word_sums(const uint8_t *data)
{
	__m256i words = _mm256_loadu_si256((const __m256i *)data);

	words = _mm256_xor_si256(words, _mm256_set1_epi16((short)0x8000));
	return _mm256_madd_epi16(words, _mm256_set1_epi16(1));
}

AVX2 static uint64_t add_lanes(__m256i sums)
{
	int32_t lanes[8];
	int64_t sum = 0;

	_mm256_storeu_si256((__m256i *)lanes, sums);
	for (int i = 0; i < 8; i++)
		sum += lanes[i];
	return (uint64_t)sum;
}

/* As sum_plain(). */
AVX2 static uint64_t sum_avx2(const uint8_t *data, size_t length)
{
	uint64_t sum = 0;

	while (length >= UNROLLED) {
		size_t times = length / UNROLLED < MOST_ADDITIONS ? length / UNROLLED :
								    MOST_ADDITIONS;
		__m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;

		for (size_t i = 0; i < times; i++, data += UNROLLED) {
			s0 = _mm256_add_epi32(s0, word_sums(data));
			s1 = _mm256_add_epi32(s1, word_sums(data + VECTOR));
			s2 = _mm256_add_epi32(s2, word_sums(data + 2 * VECTOR));
			s3 = _mm256_add_epi32(s3, word_sums(data + 3 * VECTOR));
		}
		sum += add_lanes(s0) + add_lanes(s1) + add_lanes(s2) + add_lanes(s3);
		sum += 4 * times * BIAS;
		length -= times * UNROLLED;
	}
	return sum + sum_plain(data, length);
}

#endif

static uint64_t sum_words(const uint8_t *data, size_t length)
{
#if defined(__x86_64__)
	if (length >= AVX2_LEAST && mcast_simd_level() >= MCAST_SIMD_AVX2)
		return sum_avx2(data, length);
#endif
	return sum_plain(data, length);
}

static uint32_t in_network_order(uint32_t sum)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16((uint16_t)sum);
#else
	return sum;
#endif
}

uint32_t mcast_checksum_sum(const uint8_t *data, size_t length, uint32_t initial)
{
	return fold((uint64_t)initial + in_network_order(fold(sum_words(data, length))));
}

uint32_t mcast_checksum_icmpv6(const uint8_t *source, const uint8_t *destination,
			       const uint8_t *message, size_t length)
{
	uint64_t words = sum_plain(source, 16) + sum_plain(destination, 16);

	words += fold(sum_words(message, length));
	return fold((uint64_t)in_network_order(fold(words)) + fold(length) + ICMPV6) ^ 0xffff;
}

uint32_t mcast_checksum_update(uint32_t checksum, uint32_t removed, uint32_t added)
{
	uint64_t sum = (uint64_t)(checksum ^ 0xffff) & 0xffff;

	return fold(sum + (fold(removed) ^ 0xffff) + added) ^ 0xffff;
}
