/* SPDX-License-Identifier: Apache-2.0 */
/* Per-CPU counters, read all at once. */
#ifndef MCAST_COUNTERS_H
#define MCAST_COUNTERS_H

#include <stdint.h>

/* Adds up over all CPUs what is in the first `slots` entries of a per-CPU array whose values are
 * `words` 64-bit numbers: into `sums`, `slots` times `words` of them. 0, or a negative errno. */
int mcast_counters_read(int fd, uint32_t slots, uint32_t words, uint64_t *sums);

#endif
