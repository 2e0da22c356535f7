/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the programs read a frame: XDP or socket buffer, in one piece or in several. */
#ifndef MCAST_FRAME_H
#define MCAST_FRAME_H

#include "maps.h"

enum {
	MCAST_SUM_CHUNK = 512, /* what the checksum helper takes at once before Linux 6.13 */
	MCAST_SUM_CHUNKS = 20  /* enough for a jumbo frame */
};

/* Copies `size` bytes at `offset` of the frame, from wherever they lie; 0 if they are there. */
MCAST_INLINE long mcast_load(const struct mcast_frame *frame, uint32_t offset, void *to, uint32_t size)
{
	long result;

	if (frame->hook == MCAST_HOOK_XDP) {
		result = bpf_xdp_load_bytes(frame->context, offset, to, size);
		asm volatile(""); /* or LLVM 14 makes one call through a pointer of the two */
		return result;
	}
	return bpf_skb_load_bytes(frame->context, offset, to, size);
}

/* The sum of a part wherever it lies, chunk by chunk. */
MCAST_INLINE bool mcast_long_sum(const struct mcast_frame *frame, uint32_t offset, uint32_t length,
				 uint64_t *sum)
{
	uint32_t hook = (uint32_t)frame->hook, done = 0;
	struct mcast_scratch *lay_out = scratch.lookup(&hook);
	int64_t folded = 0;
	int i;

	if (!lay_out)
		return false;
	for (i = 0; i < MCAST_SUM_CHUNKS; i++) {
		uint64_t size = length - done;

		MCAST_KEEP(i);
		if (done >= length)
			break;
		if (size > MCAST_SUM_CHUNK)
			size = MCAST_SUM_CHUNK;
		MCAST_KEEP(size);
		if (size == 0 || size > MCAST_SUM_CHUNK)
			return false;
		if (mcast_load(frame, offset + done, lay_out->part, size))
			return false;
		lay_out->part[size] = 0;
		lay_out->part[size + 1] = 0;
		lay_out->part[size + 2] = 0;
		size += 3;
		folded = bpf_csum_diff(NULL, 0, (void *)lay_out->part, size & 0x3fc, folded);
		done += MCAST_SUM_CHUNK;
	}
	*sum += (uint32_t)folded;
	return done >= length;
}

/* The sum of a part that lies in the window. */
MCAST_INLINE void mcast_window_sum(const struct mcast_frame *frame, uint32_t offset,
				   uint32_t length, uint64_t *sum)
{
	uint64_t size = length;

	MCAST_KEEP(size);
	*sum += (uint32_t)bpf_csum_diff(
		NULL, 0, (void *)(frame->window + (offset & (MCAST_WINDOW - 1))),
		size & (MCAST_WINDOW - 4), 0);
}

MCAST_INLINE bool mcast_frame_sum(const struct mcast_frame *frame, uint32_t offset, uint32_t length,
				  uint64_t *sum)
{
	if (length % 4 == 0 && length < MCAST_WINDOW && mcast_at(frame, offset, length)) {
		mcast_window_sum(frame, offset, length, sum);
		return true;
	}
	return mcast_long_sum(frame, offset, length, sum);
}

#endif
