/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs: one for XDP, one for the ingress hook of traffic control where XDP cannot be had,
 * one for its egress hook. None of them changes a packet. They stop some only in host mode, and
 * only while the agent's heartbeat is fresh.
 */
#include "handle.h"

enum {
	MCAST_TELLING = MCAST_ETHERNET_HEADER + 10, /* bytes that tell what may be control */
	MCAST_TC_NEXT = -1, /* TCX_NEXT and TC_ACT_UNSPEC: let the next program decide */
	MCAST_TC_DROP = 2   /* TCX_DROP and TC_ACT_SHOT */
};

/*
 * Whether the frame may be IGMP or MLD, by as few bytes as can tell: this is all that happens to
 * packets that are none of our business.
 */
MCAST_INLINE bool mcast_may_be_control(const uint8_t *data, const uint8_t *end)
{
	uint16_t ethertype;

	if (data + MCAST_TELLING > end)
		return false;
	ethertype = mcast_be16(data + 12);
	if (ethertype == MCAST_ETHERTYPE_IPV4)
		return data[MCAST_ETHERNET_HEADER + 9] == MCAST_PROTOCOL_IGMP;
	if (ethertype == MCAST_ETHERTYPE_IPV6) {
		uint8_t next = data[MCAST_ETHERNET_HEADER + 6];

		return next == MCAST_PROTOCOL_ICMPV6 || mcast_is_extension(next);
	}
	return ethertype == MCAST_ETHERTYPE_VLAN || ethertype == MCAST_ETHERTYPE_SERVICE_VLAN ||
	       ethertype == MCAST_ETHERTYPE_OLD_SERVICE_VLAN;
}

enum { MCAST_LEAST_FRAME = 60, MCAST_LEAST_WORDS = 15 };

/* Copies a frame of up to twice the smallest, if it is in one piece: word by word, overlapping, and
 * without a call, which would take longer. False if it is none. */
MCAST_INLINE bool mcast_copy_small(uint8_t *window, const uint8_t *data, const uint8_t *end,
				   uint32_t length)
{
	uint64_t rest = length - MCAST_LEAST_FRAME;
	int i;

	MCAST_KEEP(rest);
	if (rest > MCAST_LEAST_FRAME || data + MCAST_LEAST_FRAME > end)
		return false;
#pragma unroll
	for (i = 0; i < MCAST_LEAST_WORDS; i++)
		((uint32_t *)window)[i] = ((const uint32_t *)data)[i];
	if (!rest)
		return true;
	data += rest;
	window += rest;
	if (data + MCAST_LEAST_FRAME > end)
		return false;
#pragma unroll
	for (i = 0; i < MCAST_LEAST_WORDS; i++)
		((uint32_t *)window)[i] = ((const uint32_t *)data)[i];
	return true;
}

/* Lays the headers out where they can be read, and handles the frame. True if it must not pass. */
MCAST_INLINE bool mcast_examine(struct mcast_frame *frame, const uint8_t *data, const uint8_t *end,
				uint32_t length, uint32_t ifindex, uint16_t vlan, bool tagged)
{
	uint32_t hook = (uint32_t)frame->hook;
	struct mcast_scratch *lay_out = scratch.lookup(&hook);
	uint64_t size = length;

	if (size > MCAST_WINDOW)
		size = MCAST_WINDOW;
	MCAST_KEEP(size);
	if (!lay_out || size == 0 || size > MCAST_WINDOW)
		return false;
	lay_out->work = (struct mcast_work){.length = length, .readable = size};
	MCAST_FORGET();
	if (!mcast_copy_small(lay_out->window, data, end, length) &&
	    mcast_load(frame, 0, lay_out->window, size))
		return false;
	MCAST_FORGET();
	frame->window = lay_out->window;
	frame->work = &lay_out->work;
	return mcast_handle(frame, ifindex, vlan, tagged);
}

int mcast_xdp(struct xdp_md *ctx)
{
	struct mcast_frame frame = {.context = ctx, .hook = MCAST_HOOK_XDP};
	const uint8_t *data = (const uint8_t *)(long)ctx->data;
	const uint8_t *end = (const uint8_t *)(long)ctx->data_end;

	if (mcast_may_be_control(data, end) &&
	    mcast_examine(&frame, data, end, bpf_xdp_get_buff_len(ctx), ctx->ingress_ifindex, 0,
			  false))
		return XDP_DROP;
	return XDP_PASS;
}

MCAST_INLINE int mcast_skb(struct __sk_buff *skb, int hook)
{
	struct mcast_frame frame = {.context = skb, .hook = hook};
	const uint8_t *data, *end;

	/* A large frame of a packet socket has only its Ethernet header in the first buffer. */
	if ((const uint8_t *)(long)skb->data + MCAST_TELLING >
		    (const uint8_t *)(long)skb->data_end &&
	    skb->len >= MCAST_TELLING && bpf_skb_pull_data(skb, MCAST_TELLING))
		return MCAST_TC_NEXT;
	data = (const uint8_t *)(long)skb->data;
	end = (const uint8_t *)(long)skb->data_end;
	if (mcast_may_be_control(data, end) &&
	    mcast_examine(&frame, data, end, skb->len, skb->ifindex, skb->vlan_tci & 0xfff,
			  skb->vlan_present))
		return MCAST_TC_DROP;
	return MCAST_TC_NEXT;
}

int mcast_ingress(struct __sk_buff *skb)
{
	return mcast_skb(skb, MCAST_HOOK_INGRESS);
}

int mcast_egress(struct __sk_buff *skb)
{
	return mcast_skb(skb, MCAST_HOOK_EGRESS);
}

/* Passes everything: run on a frame of the agent's making, it hands that to this host's stack alone,
 * past the programs above (BPF_F_TEST_XDP_LIVE_FRAMES). */
int mcast_inject(struct xdp_md *ctx)
{
	return XDP_PASS;
}
