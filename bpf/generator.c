/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A generator of frames for labs and benchmarks. One program, run by BPF_PROG_TEST_RUN with live
 * frames, makes each one a copy of the next frame of a list and sends it out of the interface that
 * it is said to have come from. Now and then it sends a mark between them, which says how many frames
 * went before it; the other program is at the far end's ingress and notes the marks. Since the way
 * between is a queue, nothing that was sent before a mark is on its way any more once that has come,
 * whatever the program there does with the frames: no more of them are sent than the queue holds. One
 * that would drop the marks, too, gets the frames by way of a third program, which lets them pass.
 */
#include <uapi/linux/bpf.h>

enum {
	GENERATOR_SHORTEST = 14,
	GENERATOR_FRAME = 1514,
	GENERATOR_MARK = 60,
	GENERATOR_MARK_EVERY = 64,         /* frames */
	GENERATOR_MARK_ETHERTYPE = 0x88b5, /* for local experiments (IEEE 802) */
	GENERATOR_ON_THEIR_WAY = 128,      /* frames at the most; the queue of a veth holds 256 */
	GENERATOR_NEXT = -1,               /* TCX_NEXT */
};

struct generator_frame {
	uint32_t length;
	uint8_t bytes[GENERATOR_FRAME + 2];
};
BPF_ARRAY(frames, struct generator_frame, 1024);

/* How many frames there are and the one to send next; how many to send, how many were, and how many
 * of these before the last mark. */
struct generator_turn {
	uint32_t frames;
	uint32_t next;
	uint64_t goal;
	uint64_t sent;
	uint64_t marked;
};
BPF_ARRAY(turns, struct generator_turn, 1);

/* How many frames went before the last mark that has come. */
BPF_ARRAY(arrivals, uint64_t, 1);

struct generator_mark {
	uint8_t to[6];
	uint8_t from[6];
	uint16_t ethertype;
	uint16_t nothing;
	uint64_t sent;
	uint8_t rest[GENERATOR_MARK - 24];
};

static inline uint16_t generator_network_order(uint16_t value)
{
	return (uint16_t)(value << 8 | value >> 8);
}

static inline int generator_send_mark(struct xdp_md *ctx, struct generator_turn *turn)
{
	struct generator_mark mark = {
		.to = { 2, 'm', 'c', 'a', 's', 'm' },
		.from = { 2, 'm', 'c', 'a', 's', 't' },
		.ethertype = generator_network_order(GENERATOR_MARK_ETHERTYPE),
		.sent = turn->sent,
	};

	if (bpf_xdp_adjust_tail(ctx, (int)sizeof(mark) - (int)bpf_xdp_get_buff_len(ctx)) ||
	    bpf_xdp_store_bytes(ctx, 0, &mark, sizeof(mark)))
		return XDP_ABORTED;
	turn->marked = turn->sent;
	return XDP_TX;
}

int mcast_generate(struct xdp_md *ctx)
{
	uint32_t zero = 0, index;
	struct generator_turn *turn = turns.lookup(&zero);
	uint64_t *arrived = arrivals.lookup(&zero), length;
	struct generator_frame *frame;

	if (!turn || !arrived)
		return XDP_ABORTED;
	if (turn->sent - turn->marked >= GENERATOR_MARK_EVERY ||
	    (turn->sent >= turn->goal && turn->marked < turn->sent))
		return generator_send_mark(ctx, turn);
	if (turn->sent >= turn->goal || turn->sent - *arrived >= GENERATOR_ON_THEIR_WAY)
		return XDP_DROP;
	index = turn->next;
	frame = frames.lookup(&index);
	if (!frame)
		return XDP_ABORTED;
	/* Compared once, less 14, and hidden: verifiers before 6.18 learn nothing else of the 14. */
	length = (uint64_t)frame->length - GENERATOR_SHORTEST;
	asm volatile("" : "+r"(length));
	if (length > GENERATOR_FRAME - GENERATOR_SHORTEST)
		return XDP_ABORTED;
	length += GENERATOR_SHORTEST;
	if (bpf_xdp_adjust_tail(ctx, (int)length - (int)bpf_xdp_get_buff_len(ctx)))
		return XDP_ABORTED;
	if (bpf_xdp_store_bytes(ctx, 0, frame->bytes, length))
		return XDP_ABORTED;
	turn->next = index + 1 < turn->frames ? index + 1 : 0;
	turn->sent++;
	return XDP_TX;
}

/* The program that is given all but the marks. */
BPF_PROG_ARRAY(behind, 1);

int mcast_pass_marks(struct xdp_md *ctx)
{
	const struct generator_mark *mark = (const void *)(long)ctx->data;

	if ((const void *)(mark + 1) <= (const void *)(long)ctx->data_end &&
	    mark->ethertype == generator_network_order(GENERATOR_MARK_ETHERTYPE))
		return XDP_PASS;
	behind.call(ctx, 0);
	return XDP_ABORTED;
}

/* Notes the marks. */
int mcast_arrive(struct __sk_buff *skb)
{
	uint32_t zero = 0;
	uint64_t *arrived, sent;

	if (skb->protocol != generator_network_order(GENERATOR_MARK_ETHERTYPE))
		return GENERATOR_NEXT;
	arrived = arrivals.lookup(&zero);
	if (arrived && !bpf_skb_load_bytes(skb, 16, &sent, sizeof(sent)))
		*arrived = sent;
	return GENERATOR_NEXT;
}
