/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of rings, on a ring with any contents and any positions: what it returns lies within
 * what was written, and it always comes to an end.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"

enum { PAGE = 4096, SIZE = 4096, TOUCHED = 64 };

static uint8_t *memory;
static int fd;

static void make_memory(void)
{
	fd = memfd_create("ring", 0);
	if (fd < 0 || ftruncate(fd, 2 * PAGE + 2 * SIZE))
		abort();
	memory = mmap(NULL, 2 * PAGE + 2 * SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct mcast_ring_reader *ring;
	uint64_t sum = 0;
	size_t length, reads = 0;

	if (size < 16)
		return 0;
	if (!memory)
		make_memory();
	memset(memory, 0, 2 * PAGE + 2 * SIZE);
	memcpy(memory, input, 8);
	memory[0] &= 0xf8; /* positions are multiples of 8 */
	memcpy(memory + PAGE, input + 8, 8);
	memory[PAGE] &= 0xf8;
	if (size > 16 + SIZE)
		size = 16 + SIZE;
	memcpy(memory + 2 * PAGE, input + 16, size - 16);
	memcpy(memory + 2 * PAGE + SIZE, input + 16, size - 16);

	ring = mcast_ring_open(fd, SIZE);
	if (!ring)
		abort();
	for (const uint8_t *record; (record = mcast_ring_read(ring, &length)); reads++) {
		if (length + 8 > SIZE || reads > SIZE / 8)
			abort();
		/* The mapping ends with the ring's double: what is beyond it faults. */
		for (size_t i = 0; i < length; i += i < TOUCHED ? 1 : TOUCHED)
			sum += record[i];
		if (length)
			sum += record[length - 1];
	}
	mcast_ring_release(ring);
	mcast_ring_close(ring);
	return sum == UINT64_MAX;
}
