/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A generator of frames for labs and benchmarks. One program, run by BPF_PROG_TEST_RUN with live
 * frames, makes each one a copy of the next frame of a list and sends it out of the interface that
 * it is said to have come from. The other is at the far end's ingress and counts what arrives, so
 * that no more frames are on their way than the queue between them holds.
 */
#include <uapi/linux/bpf.h>

enum {
	GENERATOR_FRAME = 1514,
	GENERATOR_ON_THEIR_WAY = 128, /* at the most; the queue of a veth holds 256 */
	GENERATOR_NEXT = -1,          /* TCX_NEXT */
};

struct generator_frame {
	uint32_t length;
	uint8_t bytes[GENERATOR_FRAME + 2];
};
BPF_ARRAY(frames, struct generator_frame, 1024);

/* How many frames there are and the one to send next; how many to send, and how many were. */
struct generator_turn {
	uint32_t frames;
	uint32_t next;
	uint64_t goal;
	uint64_t sent;
};
BPF_ARRAY(turns, struct generator_turn, 1);
BPF_ARRAY(arrivals, uint64_t, 1);

int mcast_generate(struct xdp_md *ctx)
{
	uint32_t zero = 0, index;
	struct generator_turn *turn = turns.lookup(&zero);
	uint64_t *arrived = arrivals.lookup(&zero), length;
	struct generator_frame *frame;

	if (!turn || !arrived)
		return XDP_ABORTED;
	if (turn->sent >= turn->goal || turn->sent - *arrived >= GENERATOR_ON_THEIR_WAY)
		return XDP_DROP;
	index = turn->next;
	frame = frames.lookup(&index);
	if (!frame)
		return XDP_ABORTED;
	length = frame->length;
	asm volatile("" : "+r"(length)); /* or LLVM 14 moves the check below behind its use */
	if (length < 14 || length > GENERATOR_FRAME)
		return XDP_ABORTED;
	if (bpf_xdp_adjust_tail(ctx, (int)length - (int)bpf_xdp_get_buff_len(ctx)))
		return XDP_ABORTED;
	if (bpf_xdp_store_bytes(ctx, 0, frame->bytes, length))
		return XDP_ABORTED;
	turn->next = index + 1 < turn->frames ? index + 1 : 0;
	turn->sent++;
	return XDP_TX;
}

/* Frames of the generator are told by their source address, 02:6d:63:61:73:74. */
int mcast_arrive(struct __sk_buff *skb)
{
	uint32_t zero = 0;
	uint64_t *arrived = arrivals.lookup(&zero);
	uint8_t source[6];

	if (!arrived || bpf_skb_load_bytes(skb, 6, source, sizeof(source)))
		return GENERATOR_NEXT;
	if (source[0] == 0x02 && source[1] == 'm' && source[2] == 'c' && source[3] == 'a' &&
	    source[4] == 's' && source[5] == 't')
		lock_xadd(arrived, 1);
	return GENERATOR_NEXT;
}
