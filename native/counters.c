/* SPDX-License-Identifier: Apache-2.0 */
#include "counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The entries one by one, where the kernel has no batches for this kind of map (before 5.20). */
static int read_singly(int fd, uint32_t slots, uint64_t *values, size_t size)
{
	for (uint32_t slot = 0; slot < slots; slot++) {
		int result = bpf_map_lookup_elem(fd, &slot, values + slot * size);

		if (result)
			return result;
	}
	return 0;
}

static int read_all(int fd, uint32_t slots, uint64_t *values, size_t size)
{
	uint32_t *keys = calloc(slots, sizeof(*keys));
	uint32_t next, count = slots;
	int result;

	if (!keys)
		return -ENOMEM;
	result = bpf_map_lookup_batch(fd, NULL, &next, keys, values, &count, NULL);
	free(keys);
	/* ENOENT says that these were the last. */
	if ((result == 0 || result == -ENOENT) && count == slots)
		return 0;
	return read_singly(fd, slots, values, size);
}

int mcast_counters_read(int fd, uint32_t slots, uint32_t words, uint64_t *sums)
{
	int cpus = libbpf_num_possible_cpus(), result;
	size_t size = (size_t)words * (size_t)(cpus > 0 ? cpus : 0);
	uint64_t *values;

	if (cpus < 0)
		return cpus;
	memset(sums, 0, (size_t)slots * words * sizeof(*sums));
	if (!slots)
		return 0;
	values = calloc(slots, size * sizeof(*values));
	if (!values)
		return -ENOMEM;
	result = read_all(fd, slots, values, size);
	for (size_t slot = 0; !result && slot < slots; slot++)
		for (size_t i = 0; i < size; i++)
			sums[slot * words + i % words] += values[slot * size + i];
	free(values);
	return result;
}
