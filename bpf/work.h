/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the classifier works with: the frame, what is found in it, and reading. Pure C: no map, no
 * helper, no allocation. The same text runs in the kernel and in user space; what differs is how a
 * frame is read, and that the includer provides: mcast_frame_sum().
 */
#ifndef MCAST_WORK_H
#define MCAST_WORK_H

#include "abi.h"
#include "bytes.h"

enum { MCAST_WINDOW = 256 }; /* headers are followed no deeper into a frame */

/* What is found out about a frame, and where the walk through it stands. This lives in memory, not
 * in registers, for the verifier's sake: see MCAST_FORGET(). All before `source` is zero at first. */
struct mcast_work {
	struct mcast_message message;
	uint32_t length;   /* of the whole frame */
	uint32_t readable; /* the bytes of it that are in the window */
	uint32_t offset;   /* of the header or option looked at */
	uint32_t end;      /* where its options end */
	uint64_t sum;      /* of what a long message's checksum covers besides itself */
	uint8_t next;      /* which header that is (IPv6) */
	uint8_t following; /* and which comes after it */
	uint8_t router_alert;
	uint8_t fragment;
	uint8_t malformed;
	uint8_t is_verified; /* the message's checksum has been looked at */
	uint8_t is_damaged;  /* the IPv4 header's checksum is wrong */
	uint8_t unclear;     /* enum mcast_unclear */
	uint16_t sources;    /* that a query announces */
	uint8_t type;        /* of an IGMP message */
	uint8_t code;        /* Max Resp Code, of IGMP */
	uint8_t hop_limit;   /* TTL too */
	uint8_t source_end;  /* the last byte of the source */
	uint32_t source[4];  /* addresses as they lie in the packet; of IPv4 the first word */
	uint32_t destination[4];
	uint32_t group[4];
};

/* What the kernel may understand as an older query where this walk ends: it strips more tags, follows
 * more headers, and puts fragments together. Nobody has another use for more than two tags without a
 * VLAN, for queries of IGMP in fragments, or for MLD behind more than MCAST_EXTENSION_STEPS. */
enum mcast_unclear { MCAST_CLEAR = 0, MCAST_UNCLEAR_IGMP = 1, MCAST_UNCLEAR_MLD = 2 };

/* A frame: its first MCAST_WINDOW bytes, or all if it is shorter, are at `window`; the kernel's
 * verifier wants that memory to be 64 bytes longer than they are. */
struct mcast_frame {
	const uint8_t *window;
	struct mcast_work *work;
	void *context; /* for mcast_frame_sum() */
	int hook;      /* likewise */
};

/* Adds the sum of the 16-bit words of `length` bytes at `offset` (an odd last byte is padded with
 * zero) to `*sum`, unfolded, in any byte order that folds to the one in memory. False if they cannot
 * be read. Provided by the includer. */
MCAST_INLINE bool mcast_frame_sum(const struct mcast_frame *frame, uint32_t offset, uint32_t length,
				  uint64_t *sum);

/* The `size` bytes at `offset`, or NULL if they are not all there. The mask changes nothing: it is
 * what the verifier understands. */
MCAST_INLINE const uint8_t *mcast_at(const struct mcast_frame *frame, uint32_t offset,
				     uint32_t size)
{
	if (offset + size > frame->work->readable)
		return NULL;
	return frame->window + (offset & (MCAST_WINDOW - 1));
}

/* Keeps the first reason in the order of the list, whichever check found it first. */
MCAST_INLINE void mcast_refuse(struct mcast_message *message, uint8_t reason)
{
	MCAST_FORGET();
	if (message->reason == MCAST_ACCEPTED || reason < message->reason)
		message->reason = reason;
	MCAST_FORGET();
}

MCAST_INLINE void mcast_flag(struct mcast_message *message, uint8_t flag)
{
	message->flags |= flag;
	MCAST_FORGET();
}

#endif
