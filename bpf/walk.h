/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the message in a frame, whatever stands before it: VLAN tags, IP options, extension headers;
 * with those reasons to refuse it that come before its checksum. All loops have fixed bounds.
 */
#ifndef MCAST_WALK_H
#define MCAST_WALK_H

#include "rules.h"

/* --- Options --------------------------------------------------------------------------------- */

/* Looks at the IPv4 option at `work->offset` and steps over it: Router Alert is noted, and malformed
 * without its value (RFC 2113 §2.1). */
MCAST_INLINE void mcast_ipv4_option(const struct mcast_frame *frame)
{
	struct mcast_work *work = frame->work;
	const uint8_t *option = mcast_at(frame, work->offset, 1), *value;

	if (option && option[0] == 1) {
		work->offset += 1;
		return;
	}
	if (option && option[0] == 0) {
		work->offset = work->end;
		return;
	}
	option = mcast_at(frame, work->offset, 2);
	if (!option || option[1] < (option[0] == 0x94 ? 4 : 2) ||
	    work->offset + option[1] > work->end) {
		work->malformed = 1;
		return;
	}
	if (option[0] == 0x94 && option[1] == 4) {
		value = mcast_at(frame, work->offset + 2, 2);
		if (value && !value[0] && !value[1])
			work->router_alert = 1;
	}
	work->offset += option[1];
}

/* Looks at the option of a hop-by-hop or destination options header at `work->offset` and steps
 * over it. Malformed are also those of a type that says to discard the packet (RFC 8200 §4.2). */
MCAST_INLINE void mcast_ipv6_option(const struct mcast_frame *frame)
{
	struct mcast_work *work = frame->work;
	const uint8_t *option = mcast_at(frame, work->offset, 1), *value;

	if (option && option[0] == 0) {
		work->offset += 1;
		return;
	}
	option = mcast_at(frame, work->offset, 2);
	if (!option || work->offset + 2 + option[1] > work->end) {
		work->malformed = 1;
		return;
	}
	if (option[0] == 5 && option[1] == 2) {
		value = mcast_at(frame, work->offset + 2, 2);
		if (value && !value[0] && !value[1] && work->next == MCAST_PROTOCOL_HOP_BY_HOP)
			work->router_alert = 1; /* for MLD (RFC 2711 §2.1) */
	} else if (option[0] >> 6) {
		work->malformed = 1;
	}
	work->offset += 2u + option[1];
}

/* Walks the options of an IPv4 header, from `work->offset` up to `work->end`. */
MCAST_INLINE void mcast_walk_ipv4_options(const struct mcast_frame *frame)
{
	struct mcast_work *work = frame->work;
	const uint8_t *end;
	uint64_t i;

	for (i = 0; i < MCAST_IPV4_OPTIONS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (work->offset >= work->end || work->malformed)
			return;
		mcast_ipv4_option(frame);
	}
	if (work->offset >= work->end)
		return;
	end = mcast_at(frame, work->offset, 1);
	if (!end || *end) /* End of Option List is no option more (RFC 791 §3.1) */
		work->malformed = 1;
	MCAST_FORGET();
}

/* --- IPv4 ------------------------------------------------------------------------------------- */

/* The sum of the IPv4 header; false if it cannot be read. */
MCAST_INLINE bool mcast_header_sum(const struct mcast_frame *frame, uint64_t *sum)
{
	uint32_t offset = frame->work->message.network, end = frame->work->message.message;
	int i;

	for (i = 0; i < 15; i++) {
		const uint8_t *word;

		MCAST_KEEP(i);
		if (offset >= end)
			return true;
		word = mcast_at(frame, offset, 4);
		if (!word)
			return false;
		*sum += mcast_word(word);
		offset += 4;
	}
	return true;
}

/* Of a fragment at `position`: the first one tells whether this is a query. */
MCAST_INLINE void mcast_note_first_fragment(const struct mcast_frame *frame, uint32_t position,
					    uint32_t offset)
{
	const uint8_t *m = mcast_at(frame, offset, 1);

	if (!position && m && m[0] == 0x11)
		frame->work->unclear = MCAST_UNCLEAR_IGMP;
	MCAST_FORGET();
}

/* Where the message in an IPv4 packet is and how long; false if there is none, or none to believe. */
MCAST_INLINE bool mcast_find_igmp(const struct mcast_frame *frame)
{
	struct mcast_work *work = frame->work;
	struct mcast_message *message = &work->message;
	uint32_t network = message->network, header, total, available = work->length - network;
	uint32_t least = 8;
	const uint8_t *ip = mcast_at(frame, network, 10), *m;

	if (!ip || ip[0] >> 4 != 4 || ip[9] != MCAST_PROTOCOL_IGMP)
		return false;
	message->kind = MCAST_IGMP_OTHER;
	header = (ip[0] & 15u) * 4;
	total = mcast_be16(ip + 2);
	if (mcast_be16(ip + 6) & 0x3fff) {
		mcast_refuse(message, MCAST_FRAGMENT);
		mcast_note_first_fragment(frame, mcast_be16(ip + 6) & 0x1fff, network + header);
	}
	m = mcast_at(frame, network + header, 1);
	if (m)
		least = mcast_igmp_least(m[0]);
	MCAST_FORGET();
	if (available < MCAST_IPV4_HEADER + least || available < header + least ||
	    (total >= header && total < header + least))
		mcast_refuse(message, MCAST_TOO_SHORT);
	if (header < MCAST_IPV4_HEADER || total < header || total > available)
		mcast_refuse(message, MCAST_BAD_LENGTH);
	if (total < header || header < MCAST_IPV4_HEADER)
		return false;
	message->message = (uint16_t)(network + header);
	message->length = total - header;
	work->offset = network + MCAST_IPV4_HEADER;
	work->end = network + header;
	return message->reason != MCAST_FRAGMENT;
}

MCAST_INLINE void mcast_walk_ipv4(const struct mcast_frame *frame, const struct mcast_rules *rules)
{
	struct mcast_work *work = frame->work;
	struct mcast_message *message = &work->message;
	uint64_t header_sum = 0;
	const uint8_t *ip, *m;
	uint32_t offset;

	if (!mcast_find_igmp(frame))
		return;
	MCAST_FORGET();
	offset = message->message;
	m = mcast_at(frame, offset, 2);
	if (m)
		message->kind = mcast_igmp_kind(m[0], m[1], message->length);
	ip = mcast_at(frame, message->network, MCAST_IPV4_HEADER);
	m = mcast_at(frame, offset, 4);
	if (!ip || !m)
		return;
	mcast_note_igmp(work, ip, m);
	m = mcast_at(frame, offset + 4, 4);
	if (m)
		work->group[0] = mcast_word(m);
	m = mcast_at(frame, offset + 8, 4);
	if (m)
		work->sources = mcast_be16(m + 2);
	else
		work->sources = 0;
	if (work->type == 0x11 && message->length > 8 && rules->igmp_max_version == 3 &&
	    (message->length < 12 || !m))
		mcast_refuse(message, MCAST_TOO_SHORT);
	mcast_walk_ipv4_options(frame);
	if (work->malformed)
		mcast_refuse(message, MCAST_BAD_LENGTH);
	if (!mcast_header_sum(frame, &header_sum) || !mcast_is_right(header_sum))
		work->is_damaged = 1;
	MCAST_FORGET();
}

/* --- IPv6 ------------------------------------------------------------------------------------- */

/* Steps over the extension header at `work->offset`, or to its first option. */
MCAST_INLINE void mcast_step(const struct mcast_frame *frame, bool first)
{
	struct mcast_work *work = frame->work;
	const uint8_t *header = mcast_at(frame, work->offset, 8);

	if (!header || (work->next == MCAST_PROTOCOL_HOP_BY_HOP && !first)) {
		work->malformed = 1;
		return;
	}
	work->following = header[0];
	if (work->next == MCAST_PROTOCOL_FRAGMENT) {
		work->fragment = 1;
		/* Of a later fragment nothing more can be told than its next header. */
		if (mcast_be16(header + 2) & 0xfff8)
			work->offset = work->end = 0;
		else
			work->offset += 8;
	} else {
		work->end = work->offset + (header[1] + 1u) * 8;
		work->offset += 2;
	}
}

/* Follows the extension headers from `work->offset` on, of which the first is `work->following`.
 * One loop takes headers and their options: of two, one in the other, the verifier would follow as
 * many steps as the product. */
MCAST_INLINE void mcast_walk_extensions(const struct mcast_frame *frame)
{
	struct mcast_work *work = frame->work;
	uint64_t i;

	for (i = 0; i < MCAST_EXTENSION_STEPS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (work->malformed)
			break;
		if (work->offset < work->end) {
			mcast_ipv6_option(frame);
		} else {
			work->next = work->following;
			if (!mcast_is_extension(work->next) || !work->offset)
				break;
			mcast_step(frame, i == 0);
		}
	}
	MCAST_FORGET();
	if (work->offset < work->end) { /* whatever the options are, the next header is known */
		work->offset = work->end;
		work->malformed = 1;
	}
	work->next = work->following;
	if (work->offset && mcast_is_extension(work->next))
		work->malformed = 1;
}

/* What can be said of a packet whose chain does not lead to an ICMPv6 message: ours only if the
 * Router Alert says MLD. */
MCAST_INLINE void mcast_refuse_chain(struct mcast_work *work, uint8_t reason)
{
	if (!work->router_alert)
		return;
	work->message.kind = MCAST_MLD_OTHER;
	mcast_refuse(&work->message, reason);
}

/* Lengths and headers of the MLD message at `work->offset`. */
MCAST_INLINE void mcast_check_mld_length(const struct mcast_frame *frame, const uint8_t *ip,
					 const uint8_t *m, const struct mcast_rules *rules)
{
	struct mcast_work *work = frame->work;
	struct mcast_message *message = &work->message;
	uint32_t end = message->network + (uint32_t)MCAST_IPV6_HEADER + mcast_be16(ip + 4);
	uint32_t least;

	message->length = end > work->offset ? end - work->offset : 0;
	message->kind = mcast_mld_kind(m[0], message->length);
	if (message->kind == MCAST_NOT_CONTROL)
		return;
	message->message = (uint16_t)work->offset;
	least = message->kind == MCAST_MLD_REPORT_2 ? 8 : 24;
	if (message->length < least || !mcast_at(frame, work->offset, least) ||
	    (m[0] == 130 && message->length > 24 && rules->mld_max_version == 2 &&
	     (message->length < 28 || !mcast_at(frame, work->offset, 28))))
		mcast_refuse(message, MCAST_TOO_SHORT);
	if (end > work->length || work->malformed)
		mcast_refuse(message, MCAST_BAD_LENGTH);
	if (work->fragment)
		mcast_refuse(message, MCAST_FRAGMENT);
}

MCAST_INLINE void mcast_walk_icmpv6(const struct mcast_frame *frame,
				    const struct mcast_rules *rules)
{
	struct mcast_work *work = frame->work;
	struct mcast_message *message = &work->message;
	const uint8_t *m = mcast_at(frame, work->offset, 1), *ip;

	if (!m) {
		mcast_refuse_chain(work, work->fragment ? MCAST_FRAGMENT : MCAST_TOO_SHORT);
		return;
	}
	ip = mcast_at(frame, message->network, MCAST_IPV6_HEADER);
	if (!ip)
		return;
	mcast_check_mld_length(frame, ip, m, rules);
	MCAST_FORGET();
	if (message->kind == MCAST_NOT_CONTROL || message->reason)
		return;
	work->sum = mcast_pseudo_header_sum(ip, message->length);
	m = mcast_at(frame, message->message + 8u, 16);
	MCAST_KEEP(m);
	mcast_note_mld(work, ip, m);
	m = mcast_at(frame, message->message + 24u, 4);
	MCAST_KEEP(m);
	work->sources = m ? mcast_be16(m + 2) : 0;
	MCAST_FORGET();
}

/* Notes a packet that the kernel may take for an MLD message, with a hop limit of 1 and Router Alert
 * in its first extension header, although none was found in it. */
MCAST_INLINE void mcast_note_chain(struct mcast_work *work, const uint8_t *ip)
{
	if (ip[7] == 1 && ip[6] == MCAST_PROTOCOL_HOP_BY_HOP &&
	    (work->malformed || (work->router_alert && work->next != MCAST_PROTOCOL_ICMPV6)))
		work->unclear = MCAST_UNCLEAR_MLD;
	MCAST_FORGET();
}

MCAST_INLINE void mcast_walk_ipv6(const struct mcast_frame *frame, const struct mcast_rules *rules)
{
	struct mcast_work *work = frame->work;
	const uint8_t *ip = mcast_at(frame, work->message.network, MCAST_IPV6_HEADER);

	if (!ip || ip[0] >> 4 != 6)
		return;
	work->following = ip[6];
	work->offset = work->message.network + MCAST_IPV6_HEADER;
	mcast_walk_extensions(frame);
	MCAST_FORGET();
	mcast_note_chain(work, ip);
	if (work->fragment && !work->offset) {
		if (work->next == MCAST_PROTOCOL_ICMPV6)
			mcast_refuse_chain(work, MCAST_FRAGMENT);
		return;
	}
	if (work->next == MCAST_PROTOCOL_ICMPV6)
		mcast_walk_icmpv6(frame, rules);
	else if (work->malformed)
		mcast_refuse_chain(work, MCAST_BAD_LENGTH);
}

/* --- Ethernet --------------------------------------------------------------------------------- */

/* Finds the IP header behind up to two VLAN tags; returns the type there, 0 for a frame too short. */
MCAST_INLINE uint16_t mcast_find_network(const struct mcast_frame *frame)
{
	struct mcast_message *message = &frame->work->message;
	const uint8_t *type = mcast_at(frame, MCAST_ETHERNET_HEADER - 2, 2), *tag;
	uint16_t ethertype;
	int i;

	if (!type)
		return 0;
	ethertype = mcast_be16(type);
	message->network = MCAST_ETHERNET_HEADER;
	for (i = 0; i < 2; i++) {
		if (!mcast_is_vlan(ethertype))
			break;
		tag = mcast_at(frame, MCAST_ETHERNET_HEADER + 4u * (uint32_t)i, 4);
		if (!tag)
			return 0;
		message->vlan[i] = mcast_be16(tag) & 0xfff;
		message->tags++;
		message->network = (uint16_t)(message->network + 4);
		ethertype = mcast_be16(tag + 2);
	}
	MCAST_FORGET();
	if (mcast_is_vlan(ethertype))
		frame->work->unclear = MCAST_UNCLEAR_IGMP;
	return ethertype;
}

/* Walks through what stands behind the link layer, at `work->message.network`. */
MCAST_INLINE void mcast_walk_network(const struct mcast_frame *frame, uint16_t ethertype,
				     const struct mcast_rules *rules)
{
	if (ethertype == MCAST_ETHERTYPE_IPV4)
		mcast_walk_ipv4(frame, rules);
	else if (ethertype == MCAST_ETHERTYPE_IPV6)
		mcast_walk_ipv6(frame, rules);
	MCAST_FORGET();
}

/* Finds the message in an Ethernet frame; into `frame->work`, with those reasons to refuse it that
 * come before its checksum. */
MCAST_INLINE void mcast_walk(const struct mcast_frame *frame, const struct mcast_rules *rules)
{
	mcast_walk_network(frame, mcast_find_network(frame), rules);
}

#endif
