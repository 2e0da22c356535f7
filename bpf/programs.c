/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs: one for XDP, one for the ingress hook of traffic control where XDP cannot be had,
 * one for its egress hook. None of them changes a packet. They stop some only in host mode, and
 * only while the agent's heartbeat is fresh.
 */
#define MCAST_READS_ANYWHERE
#include "handle.h"
#include "sockets.h"

enum {
	MCAST_TC_NEXT = -1, /* TCX_NEXT and TC_ACT_UNSPEC: let the next program decide */
	MCAST_TC_DROP = 2   /* TCX_DROP and TC_ACT_SHOT */
};

int mcast_xdp(struct xdp_md *ctx)
{
	struct mcast_frame frame = { .context = ctx, .hook = MCAST_HOOK_XDP };
	const uint8_t *data = (const uint8_t *)(long)ctx->data;
	const uint8_t *end = (const uint8_t *)(long)ctx->data_end;
	uint16_t type = mcast_type_of_control(data, end);

	if (type && mcast_handle(&frame, type, data, end, ctx->ingress_ifindex, 0, false))
		return XDP_DROP;
	return XDP_PASS;
}

/* Compiled once for both hooks of traffic control: the loader makes a program for each, in which the
 * number of the hook stands for this one. */
MCAST_INLINE int mcast_hook_of_traffic_control(void)
{
	int hook;

	asm volatile("%0 = 0x6d636173" : "=r"(hook));
	return hook;
}

int mcast_tc(struct __sk_buff *skb)
{
	struct mcast_frame frame = { .context = skb, .hook = mcast_hook_of_traffic_control() };
	const uint8_t *data, *end;
	uint16_t type;

	/* A large frame of a packet socket has only its Ethernet header in the first buffer. */
	if ((const uint8_t *)(long)skb->data + MCAST_TELLING >
		    (const uint8_t *)(long)skb->data_end &&
	    skb->len >= MCAST_TELLING && bpf_skb_pull_data(skb, MCAST_TELLING))
		return MCAST_TC_NEXT;
	data = (const uint8_t *)(long)skb->data;
	end = (const uint8_t *)(long)skb->data_end;
	type = mcast_type_of_control(data, end);
	if (type && mcast_handle(&frame, type, data, end, skb->ifindex, skb->vlan_tci & 0xfff,
				 skb->vlan_present))
		return MCAST_TC_DROP;
	return MCAST_TC_NEXT;
}

/* Passes everything: run on a frame of the agent's making, it hands that to this host's stack alone,
 * past the programs above (BPF_F_TEST_XDP_LIVE_FRAMES). */
int mcast_inject(struct xdp_md *ctx)
{
	return XDP_PASS;
}
