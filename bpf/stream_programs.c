/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs that count streams of multicast data, for interfaces where that is asked for. Each
 * stands before the program of programs.c that is for the same hook, and ends in it whenever a frame
 * may be control: streams change nothing of what is done with that. None of them stops a packet.
 */
#define MCAST_READS_ANYWHERE
#include "glance.h"
#include "stream_maps.h"

enum {
	MCAST_TC_NEXT = -1 /* TCX_NEXT and TC_ACT_UNSPEC: let the next program decide */
};

int mcast_xdp_streams(struct xdp_md *ctx)
{
	const uint8_t *data = (const uint8_t *)(long)ctx->data;
	const uint8_t *end = (const uint8_t *)(long)ctx->data_end;

	if (data + MCAST_TELLING > end)
		return XDP_PASS;
	if (data[0] & 1) {
		struct mcast_source source = { .context = ctx, .hook = MCAST_HOOK_XDP };

		further.call(ctx, mcast_see(&source, data, end, ctx->ingress_ifindex, 0, false));
		/* Read anew: what is kept of them, the verifier follows through all of the above. */
		MCAST_FORGET();
		data = (const uint8_t *)(long)ctx->data;
		end = (const uint8_t *)(long)ctx->data_end;
	}
	if (mcast_type_of_control(data, end))
		further.call(ctx, MCAST_FURTHER_CONTROL);
	return XDP_PASS;
}

int mcast_tc_streams(struct __sk_buff *skb)
{
	struct mcast_source source = { .context = skb, .hook = MCAST_HOOK_INGRESS };
	const uint8_t *data, *end;

	/* A large frame of a packet socket has only its Ethernet header in the first buffer. */
	if ((const uint8_t *)(long)skb->data + MCAST_TELLING >
		    (const uint8_t *)(long)skb->data_end &&
	    skb->len >= MCAST_TELLING && bpf_skb_pull_data(skb, MCAST_TELLING))
		return MCAST_TC_NEXT;
	data = (const uint8_t *)(long)skb->data;
	end = (const uint8_t *)(long)skb->data_end;
	if (data + 1 <= end && data[0] & 1) {
		further.call(skb, mcast_see(&source, data, end, skb->ifindex, skb->vlan_tci & 0xfff,
					    skb->vlan_present));
	}
	MCAST_FORGET();
	data = (const uint8_t *)(long)skb->data;
	end = (const uint8_t *)(long)skb->data_end;
	if (mcast_type_of_control(data, end))
		further.call(skb, MCAST_FURTHER_CONTROL);
	return MCAST_TC_NEXT;
}

int mcast_xdp_pairs(struct xdp_md *ctx)
{
	mcast_count_in_pair(MCAST_HOOK_XDP);
	if (mcast_type_of_control((const uint8_t *)(long)ctx->data,
				  (const uint8_t *)(long)ctx->data_end))
		further.call(ctx, MCAST_FURTHER_CONTROL);
	return XDP_PASS;
}

int mcast_tc_pairs(struct __sk_buff *skb)
{
	mcast_count_in_pair(MCAST_HOOK_INGRESS);
	if (mcast_type_of_control((const uint8_t *)(long)skb->data,
				  (const uint8_t *)(long)skb->data_end))
		further.call(skb, MCAST_FURTHER_CONTROL);
	return MCAST_TC_NEXT;
}
