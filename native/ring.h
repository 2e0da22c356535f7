/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading end of a BPF ring buffer, over its mapped pages. One reader; the kernel is the only
 * writer. Layout: Documentation/bpf/ringbuf.rst of the kernel.
 */
#ifndef MCAST_RING_H
#define MCAST_RING_H

#include <stddef.h>
#include <stdint.h>

struct mcast_ring_reader;

/* Maps the ring of `size` bytes (a power of two, whole pages) behind the map's descriptor, which
 * stays the caller's. NULL with errno if it cannot be mapped. */
struct mcast_ring_reader *mcast_ring_open(int fd, size_t size);

void mcast_ring_close(struct mcast_ring_reader *ring);

/* The oldest record that was not read yet, NULL if there is none, or if its producer has not
 * finished it; those thrown away by their producer are passed over. It is in the ring itself, at a
 * multiple of 8 bytes, whole, and stays there until mcast_ring_release(). */
const uint8_t *mcast_ring_read(struct mcast_ring_reader *ring, size_t *length);

/* Gives the room of all that was read back to the kernel. */
void mcast_ring_release(struct mcast_ring_reader *ring);

/* Bytes that wait to be read. */
size_t mcast_ring_waiting(const struct mcast_ring_reader *ring);

#endif
