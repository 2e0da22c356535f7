/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the programs read a frame: XDP or socket buffer, in one piece or in several. */
#ifndef MCAST_FRAME_H
#define MCAST_FRAME_H

#include "maps.h"

enum {
	MCAST_SUM_CHUNK = 512, /* what the checksum helper takes at once before Linux 6.13 */
	MCAST_SUM_CHUNKS = 20  /* enough for a jumbo frame */
};

/* A frame as far as it lies in one piece. */
struct mcast_piece {
	const uint8_t *data;
	const uint8_t *end;
};

/* Asked for where it is needed: the verifier takes paths for different that know different lengths
 * of it, as long as a pointer to it is kept. */
MCAST_INLINE struct mcast_piece mcast_piece_of(const struct mcast_frame *frame)
{
	const volatile struct __sk_buff *skb = frame->context;
	const volatile struct xdp_md *xdp = frame->context;
	struct mcast_piece piece;

	if (frame->hook == MCAST_HOOK_XDP) {
		piece.data = (const uint8_t *)(long)xdp->data;
		piece.end = (const uint8_t *)(long)xdp->data_end;
		asm volatile(""); /* or LLVM 14 computes which field to read */
		return piece;
	}
	piece.data = (const uint8_t *)(long)skb->data;
	piece.end = (const uint8_t *)(long)skb->data_end;
	return piece;
}

/* Copies `size` bytes at `offset` of the frame, from wherever they lie; 0 if they are there. */
MCAST_INLINE long mcast_load(const struct mcast_frame *frame, uint32_t offset, void *to,
			     uint32_t size)
{
	long result;

	if (frame->hook == MCAST_HOOK_XDP) {
		result = bpf_xdp_load_bytes(frame->context, offset, to, size);
		asm volatile(""); /* or LLVM 14 makes one call through a pointer of the two */
		return result;
	}
	return bpf_skb_load_bytes(frame->context, offset, to, size);
}

/* The bytes of the frame. */
MCAST_INLINE uint32_t mcast_length(const struct mcast_frame *frame)
{
	if (frame->hook == MCAST_HOOK_XDP)
		return (uint32_t)bpf_xdp_get_buff_len(frame->context);
	return ((struct __sk_buff *)frame->context)->len;
}

/* In chunks, because the checksum helper takes neither long parts nor any of a packet that are of
 * unknown length; all but the last are of one size, for the verifier's sake. */
MCAST_INLINE bool mcast_frame_sum(const struct mcast_frame *frame, uint32_t offset, uint32_t length,
				  uint64_t *sum)
{
	uint32_t hook = (uint32_t)frame->hook;
	struct mcast_scratch *lay_out = scratch.lookup(&hook);
	int64_t folded = 0;
	uint64_t rest;
	int i;

	if (!lay_out)
		return false;
	for (i = 0; i < MCAST_SUM_CHUNKS; i++) {
		MCAST_KEEP(i);
		if (length < MCAST_SUM_CHUNK)
			break;
		if (mcast_load(frame, offset, lay_out->part, MCAST_SUM_CHUNK))
			return false;
		folded = bpf_csum_diff(NULL, 0, (void *)lay_out->part, MCAST_SUM_CHUNK, folded);
		offset += MCAST_SUM_CHUNK;
		length -= MCAST_SUM_CHUNK;
	}
	rest = length;
	if (rest) {
		if (!MCAST_IS_FROM_1_TO(rest, MCAST_SUM_CHUNK - 1) ||
		    mcast_load(frame, offset, lay_out->part, rest))
			return false;
		lay_out->part[rest] = 0;
		lay_out->part[rest + 1] = 0;
		lay_out->part[rest + 2] = 0;
		rest = (rest + 3) & 0x3fc;
		folded = bpf_csum_diff(NULL, 0, (void *)lay_out->part, rest, folded);
	}
	*sum += (uint32_t)folded;
	return true;
}

#endif
