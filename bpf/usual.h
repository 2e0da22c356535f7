/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The shape that nearly every message has: no VLAN tag, no IP option but Router Alert, no extension
 * header but the one with it, right lengths and checksums. Such a frame is read where it lies, at
 * fixed places. Every other frame, be it good or bad, is left to walk.h, which would find the same
 * in this one.
 */
#ifndef MCAST_USUAL_H
#define MCAST_USUAL_H

#include "glance.h"

enum {
	MCAST_USUAL_IGMP = MCAST_ETHERNET_HEADER + MCAST_IPV4_HEADER, /* where messages begin */
	MCAST_USUAL_MLD = MCAST_ETHERNET_HEADER + MCAST_IPV6_HEADER + 8,
	MCAST_SHORT_WORDS = 16, /* of a message that is summed up where it lies */
};

/* A length in a header, to be added to a pointer. The mask changes nothing: verifiers before Linux
 * 6.18 do not know that a half word is below 65,536 still when its bytes are swapped. */
MCAST_INLINE uint32_t mcast_length_at(const uint8_t *p)
{
	uint32_t length = mcast_be16(p);

	MCAST_KEEP(length);
	return length & 0xffff;
}

/* Adds a short message at `m` to `*sum`, whose first `there` bytes are known to be there; false if it
 * does not end before `end`. */
MCAST_INLINE bool mcast_short_sum(const uint8_t *m, const uint8_t *end, uint32_t there,
				  uint64_t length, uint64_t *sum)
{
	uint64_t total = *sum, i;

	for (i = 0; i < there; i += 4)
		total += mcast_word(m + i);
	m += there;
	for (i = there; i < 4 * MCAST_SHORT_WORDS; i += 4) {
		MCAST_KEEP(i);
		if (i >= length)
			break;
		if (m + 4 > end)
			return false;
		total += mcast_word(m);
		m += 4;
	}
	*sum = total;
	return true;
}

/* Looks at the checksum of a short message at `m`, whose sum begins with `sum`; that of a long one is
 * for mcast_judge(). */
MCAST_INLINE bool mcast_verify_short(struct mcast_work *work, const uint8_t *m, const uint8_t *end,
				     uint32_t there, uint64_t sum)
{
	uint32_t length = work->message.length;

	if (length % 4 || length > 4 * MCAST_SHORT_WORDS) {
		work->sum = sum;
		return true;
	}
	if (!mcast_short_sum(m, end, there, length, &sum))
		return false;
	work->is_verified = 1;
	if (!mcast_is_right(sum))
		work->message.reason = MCAST_BAD_CHECKSUM;
	return true;
}

MCAST_INLINE bool mcast_is_usual_igmp(struct mcast_work *work, const uint8_t *data,
				      const uint8_t *end)
{
	struct mcast_message *message = &work->message;
	const uint8_t *ip = data + MCAST_ETHERNET_HEADER, *m;
	uint32_t options, total;
	uint64_t sum;

	if (ip + MCAST_IPV4_HEADER + 4 > end || mcast_be16(ip + 6) & 0x3fff)
		return false;
	sum = (uint64_t)mcast_word(ip) + mcast_word(ip + 4) + mcast_word(ip + 8) +
	      mcast_word(ip + 12) + mcast_word(ip + 16);
	if (ip[0] == 0x46) {
		if (mcast_be32(ip + 20) != 0x94040000)
			return false;
		sum += mcast_word(ip + 20);
		work->router_alert = 1;
	} else if (ip[0] != 0x45) {
		return false;
	}
	MCAST_FORGET(); /* or the verifier follows the two lengths on two paths */
	options = (ip[0] & 2u) * 2;
	total = mcast_length_at(ip + 2);
	m = ip + MCAST_IPV4_HEADER + options;
	if (!mcast_is_right(sum) || total < MCAST_IPV4_HEADER + 8 + options || m + 8 > end ||
	    ip + total > end)
		return false;
	message->network = MCAST_ETHERNET_HEADER;
	message->message = (uint16_t)(MCAST_USUAL_IGMP + options);
	message->length = total - MCAST_IPV4_HEADER - options;
	message->kind = mcast_igmp_kind(m[0], m[1], message->length);
	MCAST_FORGET();
	if (message->kind == MCAST_IGMP_OTHER ||
	    (message->length < 12 && message->length > 8 && m[0] == 0x11))
		return false;
	mcast_note_igmp(work, ip, m);
	work->group[0] = mcast_word(m + 4);
	if (message->kind == MCAST_IGMP_QUERY_3 && m + 12 <= end)
		work->sources = mcast_be16(m + 10);
	return mcast_verify_short(work, m, end, 8, 0);
}

/* Whether a hop-by-hop options header is the one that everybody sends: Router Alert for MLD, and
 * padding. */
MCAST_INLINE bool mcast_is_usual_hop_by_hop(const uint8_t *header)
{
	return header[1] == 0 && mcast_be32(header + 2) == 0x05020000 &&
	       mcast_be16(header + 6) == 0x0100;
}

MCAST_INLINE bool mcast_is_usual_mld(struct mcast_work *work, const uint8_t *data,
				     const uint8_t *end)
{
	struct mcast_message *message = &work->message;
	const uint8_t *ip = data + MCAST_ETHERNET_HEADER, *header = ip + MCAST_IPV6_HEADER;
	const uint8_t *m = header + 8;
	uint32_t payload;

	if (m + 24 > end || ip[0] >> 4 != 6 || ip[6] != MCAST_PROTOCOL_HOP_BY_HOP ||
	    header[0] != MCAST_PROTOCOL_ICMPV6 || !mcast_is_usual_hop_by_hop(header))
		return false;
	payload = mcast_length_at(ip + 4);
	if (payload < 8 + 24 || header + payload > end)
		return false;
	work->router_alert = 1;
	message->network = MCAST_ETHERNET_HEADER;
	message->message = MCAST_USUAL_MLD;
	message->length = payload - 8;
	message->kind = mcast_mld_kind(m[0], message->length);
	MCAST_FORGET();
	if (message->kind == MCAST_NOT_CONTROL ||
	    (message->length < 28 && message->length > 24 && m[0] == 130))
		return false;
	mcast_note_mld(work, ip, m + 8);
	if (message->kind == MCAST_MLD_QUERY_2 && m + 28 <= end)
		work->sources = mcast_be16(m + 26);
	return mcast_verify_short(work, m, end, 24, mcast_pseudo_header_sum(ip, message->length));
}

/* Finds the message in the frame from `data` to `end`, or in as much of it as lies in one piece, whose
 * type is `type` by mcast_type_of_control(). False if it is not of the usual shape: then `work` must
 * be made anew. */
MCAST_INLINE bool mcast_is_usual(struct mcast_work *work, uint16_t type, const uint8_t *data,
				 const uint8_t *end)
{
	if (type == MCAST_ETHERTYPE_IPV4)
		return mcast_is_usual_igmp(work, data, end);
	if (type == MCAST_ETHERTYPE_IPV6)
		return mcast_is_usual_mld(work, data, end);
	return false;
}

#endif
