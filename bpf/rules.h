/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a message is by its type, and whether it may be believed (RFC 9776 §4 and §7.1, RFC 9777 §5
 * and §8.1), once it has been found. The records of an IGMPv3 or MLDv2 report are not looked at.
 */
#ifndef MCAST_RULES_H
#define MCAST_RULES_H

#include "work.h"

/* The sources that a query of the newest version announces, of `width` bytes each behind its `fixed`
 * first: only for a group, and no more than there are (RFC 9776 §4.1.8, RFC 9777 §5.1.10). */
MCAST_INLINE void mcast_check_sources(const struct mcast_work *work, bool any_group, uint32_t fixed,
				      uint32_t width, struct mcast_message *message)
{
	if (work->sources && any_group)
		mcast_refuse(message, MCAST_BAD_GROUP);
	else if (message->length < fixed + width * work->sources)
		mcast_refuse(message, MCAST_BAD_SOURCE_COUNT);
}

/* --- IGMP ------------------------------------------------------------------------------------- */

/* The kind of an IGMP message; MCAST_IGMP_OTHER also for types nobody knows (RFC 9776 §4, §7.1). */
MCAST_INLINE uint8_t mcast_igmp_kind(uint8_t type, uint8_t code, uint32_t length)
{
	switch (type) {
	case 0x11:
		if (length >= 12)
			return MCAST_IGMP_QUERY_3;
		return code ? MCAST_IGMP_QUERY_2 : MCAST_IGMP_QUERY_1;
	case 0x12:
		return MCAST_IGMP_REPORT_1;
	case 0x16:
		return MCAST_IGMP_REPORT_2;
	case 0x17:
		return MCAST_IGMP_LEAVE_2;
	case 0x22:
		return MCAST_IGMP_REPORT_3;
	default:
		return MCAST_IGMP_OTHER;
	}
}

/* DVMRP, PIMv1, the two traceroutes, multicast router discovery: for routers, and well known. */
MCAST_INLINE bool mcast_igmp_type_is_known(uint8_t type)
{
	return type == 0x13 || type == 0x14 || type == 0x15 || type == 0x1e || type == 0x1f ||
	       (type >= 0x30 && type <= 0x32);
}

/* Solicitation and Termination of multicast router discovery end before others (RFC 4286 §4, §5). */
MCAST_INLINE uint32_t mcast_igmp_least(uint8_t type)
{
	return type == 0x31 || type == 0x32 ? 4 : 8;
}

MCAST_INLINE bool mcast_is_mld(uint8_t kind)
{
	return kind >= MCAST_MLD_QUERY_1;
}

MCAST_INLINE bool mcast_is_query(uint8_t kind)
{
	return (kind >= MCAST_IGMP_QUERY_1 && kind <= MCAST_IGMP_QUERY_3) ||
	       kind == MCAST_MLD_QUERY_1 || kind == MCAST_MLD_QUERY_2;
}

MCAST_INLINE bool mcast_is_report(uint8_t kind)
{
	return (kind >= MCAST_IGMP_REPORT_1 && kind <= MCAST_IGMP_REPORT_3) ||
	       kind == MCAST_MLD_REPORT_1 || kind == MCAST_MLD_REPORT_2;
}

/* What the rules are about: the IP header, and the first 4 bytes of the message. */
MCAST_INLINE void mcast_note_igmp(struct mcast_work *work, const uint8_t *ip, const uint8_t *m)
{
	work->hop_limit = ip[8];
	work->source_end = ip[15];
	work->type = m[0];
	work->code = m[1];
	work->source[0] = mcast_word(ip + 12);
	work->destination[0] = mcast_word(ip + 16);
}

/* Whether an address, as it lies in the packet, is a group's. */
MCAST_INLINE bool mcast_is_ipv4_multicast(uint32_t address)
{
	return mcast_first_byte(address) >> 4 == 0xe;
}

/* The group of an IGMP query, as the version that we may speak reads it: a version 1 query has none,
 * and what is read as one (RFC 9776 §9.1, RFC 2236 §6, RFC 1112 appendix I). */
MCAST_INLINE uint32_t mcast_group_asked(const struct mcast_work *work, uint8_t max_version)
{
	if (work->message.kind == MCAST_IGMP_QUERY_1 || max_version == 1 ||
	    (max_version == 2 && !work->code))
		return 0;
	return work->group[0];
}

/* What is asked of a query: Router Alert, destination and group (RFC 9776 §4.1.12), sources. */
MCAST_INLINE void mcast_check_igmp_query(const struct mcast_work *work,
					 const struct mcast_rules *rules,
					 struct mcast_message *message)
{
	uint32_t destination = work->destination[0];
	uint32_t group = mcast_group_asked(work, rules->igmp_max_version);

	if (!work->router_alert && message->kind != MCAST_IGMP_QUERY_1) {
		if (rules->require_router_alert)
			mcast_refuse(message, MCAST_NO_ROUTER_ALERT);
		else
			mcast_flag(message, MCAST_WITHOUT_ROUTER_ALERT);
	}
	if (destination != mcast_number(0xe0000001)) {
		if (!~destination || (!group && mcast_is_ipv4_multicast(destination)))
			mcast_refuse(message, MCAST_BAD_DESTINATION);
		else if (destination != group || !mcast_is_ipv4_multicast(destination))
			mcast_flag(message, MCAST_TO_ASSIGNED);
	}
	if (group && !mcast_is_ipv4_multicast(group))
		mcast_refuse(message, MCAST_BAD_GROUP);
	if (message->kind == MCAST_IGMP_QUERY_3 && rules->igmp_max_version == 3)
		mcast_check_sources(work, !group, 12, 4, message);
}

/* What is asked of all but queries. */
MCAST_INLINE void mcast_check_igmp_report(const struct mcast_work *work,
					  struct mcast_message *message)
{
	uint8_t kind = message->kind;

	if (!mcast_is_ipv4_multicast(work->destination[0])) {
		if (!~work->destination[0])
			mcast_refuse(message, MCAST_BAD_DESTINATION);
		else
			mcast_flag(message, MCAST_TO_ASSIGNED);
	}
	if (kind == MCAST_IGMP_REPORT_3) {
		mcast_flag(message, MCAST_FROM_OTHERS);
	} else if (kind != MCAST_IGMP_OTHER) {
		if (!mcast_is_ipv4_multicast(work->group[0]))
			mcast_refuse(message, MCAST_BAD_GROUP);
		if (kind != MCAST_IGMP_LEAVE_2)
			mcast_flag(message, MCAST_FROM_OTHERS);
	} else if (!mcast_igmp_type_is_known(work->type)) {
		mcast_refuse(message, MCAST_UNKNOWN_TYPE);
	}
}

/* All rules for a message whose lengths and checksums are right. */
MCAST_INLINE void mcast_check_igmp(struct mcast_work *work, const struct mcast_rules *rules)
{
	struct mcast_message *message = &work->message;
	uint32_t source = work->source[0], first = mcast_first_byte(source);

	if (work->hop_limit != 1 && rules->require_ttl_1 && message->kind != MCAST_IGMP_OTHER)
		mcast_refuse(message, MCAST_BAD_TTL);
	if (first == 127 || (first >= 0xe0 && (first < 0xf0 || !~source)))
		mcast_refuse(message, MCAST_BAD_SOURCE);
	if (mcast_is_query(message->kind))
		mcast_check_igmp_query(work, rules, message);
	else
		mcast_check_igmp_report(work, message);
}

/* --- MLD -------------------------------------------------------------------------------------- */

/* The kind of an ICMPv6 message, MCAST_NOT_CONTROL if it is not MLD (RFC 9777 §5, §8.1). */
MCAST_INLINE uint8_t mcast_mld_kind(uint8_t type, uint32_t length)
{
	switch (type) {
	case 130:
		return length >= 28 ? MCAST_MLD_QUERY_2 : MCAST_MLD_QUERY_1;
	case 131:
		return MCAST_MLD_REPORT_1;
	case 132:
		return MCAST_MLD_LEAVE_1;
	case 143:
		return MCAST_MLD_REPORT_2;
	default:
		return MCAST_NOT_CONTROL;
	}
}

/* Sum of the pseudo-header of RFC 8200 §8.1; `length` is that of the ICMPv6 message. */
MCAST_INLINE uint64_t mcast_pseudo_header_sum(const uint8_t *ip, uint32_t length)
{
	const uint8_t tail[8] = { (uint8_t)(length >> 24),
				  (uint8_t)(length >> 16),
				  (uint8_t)(length >> 8),
				  (uint8_t)length,
				  0,
				  0,
				  0,
				  MCAST_PROTOCOL_ICMPV6 };

	return (uint64_t)mcast_word(ip + 8) + mcast_word(ip + 12) + mcast_word(ip + 16) +
	       mcast_word(ip + 20) + mcast_word(ip + 24) + mcast_word(ip + 28) +
	       mcast_word(ip + 32) + mcast_word(ip + 36) + mcast_word(tail) + mcast_word(tail + 4);
}

MCAST_INLINE void mcast_note_address(uint32_t to[4], const uint8_t *from)
{
	to[0] = mcast_word(from);
	to[1] = mcast_word(from + 4);
	to[2] = mcast_word(from + 8);
	to[3] = mcast_word(from + 12);
}

/* What the rules are about; the group is in those messages that have one. */
MCAST_INLINE void mcast_note_mld(struct mcast_work *work, const uint8_t *ip, const uint8_t *group)
{
	work->hop_limit = ip[7];
	work->source_end = ip[23];
	mcast_note_address(work->source, ip + 8);
	mcast_note_address(work->destination, ip + 24);
	if (group)
		mcast_note_address(work->group, group);
}

MCAST_INLINE bool mcast_is_unspecified(const uint32_t address[4])
{
	return !(address[0] | address[1] | address[2] | address[3]);
}

MCAST_INLINE bool mcast_is_same(const uint32_t a[4], const uint32_t b[4])
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/* ff02::1 */
MCAST_INLINE bool mcast_is_all_nodes(const uint32_t address[4])
{
	return mcast_number(address[0]) == 0xff020000 && !address[1] && !address[2] &&
	       mcast_number(address[3]) == 1;
}

MCAST_INLINE bool mcast_is_ipv6_multicast(const uint32_t address[4])
{
	return mcast_number(address[0]) >> 24 == 0xff;
}

/* Where a query went: all nodes, the group asked for, or an address of ours (RFC 9777 §5.1.15). */
MCAST_INLINE void mcast_check_mld_destination(const struct mcast_work *work,
					      struct mcast_message *message)
{
	if (mcast_is_ipv6_multicast(work->destination) &&
	    (!mcast_is_query(message->kind) || mcast_is_all_nodes(work->destination) ||
	     mcast_is_same(work->destination, work->group)))
		return;
	mcast_flag(message, MCAST_TO_ASSIGNED);
}

/* All rules for a message whose lengths and checksum are right. */
MCAST_INLINE void mcast_check_mld(struct mcast_work *work, const struct mcast_rules *rules)
{
	struct mcast_message *message = &work->message;
	uint8_t kind = message->kind;
	bool link_local = (mcast_number(work->source[0]) & 0xffc00000) == 0xfe800000;
	bool may_be_unspecified = kind == MCAST_MLD_REPORT_2 || kind == MCAST_MLD_LEAVE_1;
	bool any_group;

	if (work->hop_limit != 1)
		mcast_refuse(message, MCAST_BAD_TTL);
	if (!work->router_alert)
		mcast_refuse(message, MCAST_NO_ROUTER_ALERT);
	if (!link_local && !(may_be_unspecified && mcast_is_unspecified(work->source)))
		mcast_refuse(message, MCAST_BAD_SOURCE);
	if (mcast_is_report(kind))
		mcast_flag(message, MCAST_FROM_OTHERS);
	if (kind == MCAST_MLD_REPORT_2) {
		if (!mcast_is_ipv6_multicast(work->destination))
			mcast_flag(message, MCAST_TO_ASSIGNED);
		return;
	}
	mcast_check_mld_destination(work, message);
	any_group = mcast_is_query(kind) && mcast_is_unspecified(work->group);
	if (!mcast_is_ipv6_multicast(work->group) && !any_group)
		mcast_refuse(message, MCAST_BAD_GROUP);
	if (kind == MCAST_MLD_QUERY_2 && rules->mld_max_version == 2)
		mcast_check_sources(work, any_group, 28, 16, message);
}

/* Whether a query asks for all groups. */
MCAST_INLINE bool mcast_is_general(const struct mcast_work *work, const struct mcast_rules *rules)
{
	if (mcast_is_mld(work->message.kind))
		return mcast_is_unspecified(work->group);
	return !mcast_group_asked(work, rules->igmp_max_version);
}

/* --- Whether it may be believed --------------------------------------------------------------- */

/* Checks the sum of a message that has been found, and then all the rules. */
MCAST_INLINE void mcast_judge(const struct mcast_frame *frame, const struct mcast_rules *rules)
{
	struct mcast_work *work = frame->work;
	struct mcast_message *message = &work->message;

	if (message->kind == MCAST_NOT_CONTROL || message->reason)
		return;
	if (!work->is_verified &&
	    (work->is_damaged ||
	     !mcast_frame_sum(frame, message->message, message->length, &work->sum) ||
	     !mcast_is_right(work->sum))) {
		message->reason = MCAST_BAD_CHECKSUM;
		return;
	}
	MCAST_FORGET();
	if (mcast_is_mld(message->kind))
		mcast_check_mld(work, rules);
	else
		mcast_check_igmp(work, rules);
	MCAST_FORGET();
}

/* Whether the message stands only if the destination, or the source, is as the flags demand. The
 * reason that the answer gives comes before the later ones of the list. */
MCAST_INLINE bool mcast_destination_matters(const struct mcast_message *message)
{
	return (message->flags & MCAST_TO_ASSIGNED) &&
	       (message->reason == MCAST_ACCEPTED || message->reason > MCAST_BAD_DESTINATION);
}

MCAST_INLINE bool mcast_source_matters(const struct mcast_message *message)
{
	return (message->flags & MCAST_FROM_OTHERS) && message->reason == MCAST_ACCEPTED;
}

#endif
