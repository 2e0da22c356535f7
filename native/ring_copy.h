/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a BPF ring that are all of one size, copied out one after the other. */
#ifndef MCAST_RING_COPY_H
#define MCAST_RING_COPY_H

struct mcast_ring_reader;

struct mcast_ring_reader *mcast_ring_open(int fd, size_t size);
void mcast_ring_close(struct mcast_ring_reader *ring);

/* Copies the oldest records of `length` bytes, at most `most` of them, to `to`, and gives their room
 * back to the kernel. Records of another length are passed over. Returns how many were copied. */
size_t mcast_ring_copy(struct mcast_ring_reader *ring, uint8_t *to, size_t length, size_t most);

#endif
