/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"

static int simd_level;

static int best_level(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		return MCAST_SIMD_AVX2;
#endif
	return MCAST_SIMD_NONE;
}

__attribute__((constructor)) static void find_level(void)
{
	simd_level = best_level();
}

int mcast_simd_level(void)
{
	return simd_level;
}

int mcast_simd_limit(int level)
{
	int best = best_level();

	simd_level = level < MCAST_SIMD_NONE ? MCAST_SIMD_NONE : level < best ? level : best;
	return simd_level;
}
