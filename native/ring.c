/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUSY (1u << 31)    /* reserved, not submitted yet */
#define DISCARD (1u << 30) /* submitted, but thrown away */
#define HEADER 8u

struct mcast_ring_reader {
	unsigned long *consumer;       /* our position; a page that we may write */
	const unsigned long *producer; /* the kernel's; the data follow on the next page, twice */
	const uint8_t *data;
	size_t size;
	size_t page;
	unsigned long position; /* of the next record to read */
	unsigned long end;      /* of what the kernel was seen to have written */
};

struct mcast_ring_reader *mcast_ring_open(int fd, size_t size)
{
	struct mcast_ring_reader *ring = calloc(1, sizeof(*ring));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *map;

	if (!ring)
		return NULL;
	ring->size = size;
	ring->page = page;
	map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		free(ring);
		return NULL;
	}
	ring->consumer = map;
	map = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (map == MAP_FAILED) {
		munmap(ring->consumer, page);
		free(ring);
		return NULL;
	}
	ring->producer = map;
	ring->data = (const uint8_t *)map + page;
	ring->position = ring->end = *ring->consumer;
	return ring;
}

void mcast_ring_close(struct mcast_ring_reader *ring)
{
	if (!ring)
		return;
	munmap(ring->consumer, ring->page);
	munmap((void *)(uintptr_t)ring->producer, ring->page + 2 * ring->size);
	free(ring);
}

const uint8_t *mcast_ring_read(struct mcast_ring_reader *ring, size_t *length)
{
	for (;;) {
		const uint8_t *record = ring->data + (ring->position & (ring->size - 1));
		size_t waiting, step;
		uint32_t head;

		/* The kernel's position is read again only when all that it told last is read. */
		if (ring->position == ring->end)
			ring->end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
		waiting = ring->end - ring->position;
		if (waiting < HEADER || waiting > ring->size)
			return NULL;
		head = __atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);
		if (head & BUSY)
			return NULL;
		*length = head & ~(BUSY | DISCARD);
		step = (*length + HEADER + 7) & ~(size_t)7;
		if (step > waiting)
			return NULL;
		ring->position += step;
		if (!(head & DISCARD))
			return record + HEADER;
	}
}

void mcast_ring_release(struct mcast_ring_reader *ring)
{
	__atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
}

size_t mcast_ring_waiting(const struct mcast_ring_reader *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - ring->position;
}
