/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MCAST_CPU_H
#define MCAST_CPU_H

/* Which of the processor's vector instructions the functions of this module use. Every function
 * gives the same result at every level; the level is found out once, when the module is loaded. */
enum mcast_simd_level {
	MCAST_SIMD_NONE = 0, /* plain C */
	MCAST_SIMD_AVX2 = 1,
};

/* The level in use. */
int mcast_simd_level(void);

/* Uses `level` or the best the processor has, whichever is lower, from now on; for tests and
 * benchmarks. Returns the level now in use. */
int mcast_simd_limit(int level);

#endif
