/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frame to what it is: IGMP or MLD, which type and version, and whether it may be believed
 * (RFC 9776 §4 and §7.1, RFC 9777 §5 and §8.1). Pure C: no map, no helper, no allocation, loops of
 * fixed bounds. The same text runs in the kernel and in user space; what differs is how a frame is
 * read, and that the includer provides:
 *
 *   mcast_frame_sum()   the ones' complement sum of a part of the frame
 *
 * The records of an IGMPv3 or MLDv2 report are not walked here.
 */
#ifndef MCAST_CLASSIFY_H
#define MCAST_CLASSIFY_H

#include "abi.h"

#ifndef MCAST_INLINE
#define MCAST_INLINE static inline __attribute__((always_inline))
#endif

enum { MCAST_WINDOW = 256 }; /* headers are followed no deeper into a frame */

/* What is found out about a frame, and where the walk through it stands. This lives in memory, not
 * in registers, for the verifier's sake: see MCAST_FORGET(). All zero before. */
struct mcast_work {
	struct mcast_message message;
	uint32_t length;   /* of the whole frame */
	uint32_t readable; /* the bytes of it that are in the window */
	uint32_t offset;   /* of the header or option looked at */
	uint32_t end;      /* where its options end */
	uint8_t next;      /* which header that is (IPv6) */
	uint8_t router_alert;
	uint8_t fragment;
	uint8_t malformed;
};

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

enum {
	MCAST_ETHERTYPE_IPV4 = 0x0800,
	MCAST_ETHERTYPE_IPV6 = 0x86dd,
	MCAST_ETHERTYPE_VLAN = 0x8100,
	MCAST_ETHERTYPE_SERVICE_VLAN = 0x88a8,
	MCAST_ETHERTYPE_OLD_SERVICE_VLAN = 0x9100,
	MCAST_PROTOCOL_HOP_BY_HOP = 0,
	MCAST_PROTOCOL_IGMP = 2,
	MCAST_PROTOCOL_FRAGMENT = 44,
	MCAST_PROTOCOL_ICMPV6 = 58,
	MCAST_PROTOCOL_DESTINATION_OPTIONS = 60,
	MCAST_ETHERNET_HEADER = 14,
	MCAST_IPV4_HEADER = 20,
	MCAST_IPV6_HEADER = 40,
	MCAST_EXTENSION_HEADERS = 4, /* walked at the most; a deeper chain is refused */
	MCAST_HEADER_OPTIONS = 16,   /* walked at the most in one header */
};

/* The `size` bytes at `offset`, or NULL if they are not all there. The mask changes nothing: it is
 * what the verifier understands. */
MCAST_INLINE const uint8_t *mcast_at(const struct mcast_frame *frame, uint32_t offset, uint32_t size)
{
	if (offset + size > frame->work->readable)
		return NULL;
	return frame->window + (offset & (MCAST_WINDOW - 1));
}

MCAST_INLINE uint16_t mcast_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The 32 bits at any address, as they lie in memory. LLVM's BPF would read bytes, and the kernel
 * lets programs read words anywhere where the processor does. */
MCAST_INLINE uint32_t mcast_word(const uint8_t *p)
{
#ifdef __bpf__
	return *(const uint32_t *)(const void *)p;
#else
	uint32_t word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
#endif
}

MCAST_INLINE uint32_t mcast_be32(const uint8_t *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(mcast_word(p));
#else
	return mcast_word(p);
#endif
}

MCAST_INLINE uint16_t mcast_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Makes the compiler read memory anew. The verifier follows every value that it can tell, along
 * every path on its own; it cannot tell those that come from a map. So what is found out about a
 * message goes to memory, where all paths look the same to it. */
#define MCAST_FORGET() asm volatile("" : : : "memory")

/* Hides a value from the compiler, which else may move a loop's bound or a check of a size to where
 * the verifier does not see it (LLVM 14 does). */
#define MCAST_KEEP(value) asm volatile("" : "+r"(value))

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

/* Whether the options of an IPv4 header are the one that everybody sends, Router Alert. */
MCAST_INLINE bool mcast_is_router_alert_alone(const struct mcast_frame *frame)
{
	const uint8_t *option = mcast_at(frame, frame->work->offset, 4);

	return frame->work->end - frame->work->offset == 4 && option &&
	       mcast_be32(option) == 0x94040000;
}

/* Walks the options from `work->offset` up to `work->end`. */
MCAST_INLINE void mcast_walk_options(const struct mcast_frame *frame, bool ipv6)
{
	struct mcast_work *work = frame->work;
	int i;

	for (i = 0; i < MCAST_HEADER_OPTIONS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (work->offset >= work->end || work->malformed)
			return;
		if (ipv6)
			mcast_ipv6_option(frame);
		else
			mcast_ipv4_option(frame);
	}
	if (work->offset < work->end)
		work->malformed = 1;
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

/* Destination and group of an IGMP query, as the version that we may speak reads them (RFC 9776
 * §4.1.12 and §9.1, RFC 2236 §6, RFC 1112 appendix I). */
MCAST_INLINE void mcast_check_igmp_query(const uint8_t *m, uint32_t destination, uint8_t max_version,
					 struct mcast_message *message)
{
	const uint32_t all_hosts = 0xe0000001;
	uint32_t group = mcast_be32(m + 4);
	bool any_group = message->kind == MCAST_IGMP_QUERY_1 || max_version == 1 ||
			 (max_version == 2 && !m[1]);

	if (any_group)
		group = 0; /* a version 1 query has none, and what is read as one: it is ignored */
	if (destination >> 28 != 0xe || (destination != all_hosts && group && destination != group))
		mcast_flag(message, MCAST_TO_ASSIGNED);
	else if (!group && destination != all_hosts)
		mcast_refuse(message, MCAST_BAD_DESTINATION);
	if (group && group >> 28 != 0xe)
		mcast_refuse(message, MCAST_BAD_GROUP);
}

/* The number of sources of a version 3 query (RFC 9776 §4.1.8). */
MCAST_INLINE void mcast_check_igmp_sources(const struct mcast_frame *frame, const uint8_t *m,
					   struct mcast_message *message)
{
	const uint8_t *tail = mcast_at(frame, message->message + 8u, 4);
	uint32_t count;

	if (!tail)
		return; /* the length has been found wanting already */
	count = mcast_be16(tail + 2);
	if (count && !mcast_be32(m + 4))
		mcast_refuse(message, MCAST_BAD_GROUP);
	else if (message->length < 12 + 4 * count)
		mcast_refuse(message, MCAST_BAD_SOURCE_COUNT);
}

MCAST_INLINE void mcast_check_igmp(const struct mcast_frame *frame, const struct mcast_rules *rules,
				   const uint8_t *ip, const uint8_t *m)
{
	struct mcast_message *message = &frame->work->message;
	uint32_t source = mcast_be32(ip + 12), destination = mcast_be32(ip + 16);
	uint8_t kind = message->kind;

	if (ip[8] != 1 && rules->require_ttl_1 && kind != MCAST_IGMP_OTHER)
		mcast_refuse(message, MCAST_BAD_TTL);
	if (!frame->work->router_alert &&
	    (kind == MCAST_IGMP_QUERY_2 || kind == MCAST_IGMP_QUERY_3)) {
		if (rules->require_router_alert)
			mcast_refuse(message, MCAST_NO_ROUTER_ALERT);
		else
			mcast_flag(message, MCAST_WITHOUT_ROUTER_ALERT);
	}
	if (source >> 28 == 0xe || source >> 24 == 127 || source == 0xffffffff)
		mcast_refuse(message, MCAST_BAD_SOURCE);
	if (destination == 0xffffffff)
		mcast_refuse(message, MCAST_BAD_DESTINATION);
	else if (mcast_is_query(kind))
		mcast_check_igmp_query(m, destination, rules->igmp_max_version, message);
	else if (destination >> 28 != 0xe)
		mcast_flag(message, MCAST_TO_ASSIGNED);
	if (kind == MCAST_IGMP_QUERY_3 && rules->igmp_max_version == 3)
		mcast_check_igmp_sources(frame, m, message);
	if ((kind == MCAST_IGMP_REPORT_1 || kind == MCAST_IGMP_REPORT_2 ||
	     kind == MCAST_IGMP_LEAVE_2) &&
	    mcast_be32(m + 4) >> 28 != 0xe)
		mcast_refuse(message, MCAST_BAD_GROUP);
	if (mcast_is_report(kind))
		mcast_flag(message, MCAST_FROM_OTHERS);
}

/* --- IPv4 ------------------------------------------------------------------------------------- */

/* The sum of the IPv4 header; false if it cannot be read. */
MCAST_INLINE bool mcast_header_sum(const struct mcast_frame *frame, uint64_t *sum)
{
	uint32_t offset = frame->work->message.network, end = frame->work->message.message;
	const uint8_t *usual = mcast_at(frame, offset, MCAST_IPV4_HEADER + 4);
	int i;

	if (usual && end - offset == MCAST_IPV4_HEADER + 4) {
		*sum = (uint64_t)mcast_word(usual) + mcast_word(usual + 4) + mcast_word(usual + 8) +
		       mcast_word(usual + 12) + mcast_word(usual + 16) + mcast_word(usual + 20);
		return true;
	}

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

/* Where the message in an IPv4 packet is and how long; false if there is none, or none to believe. */
MCAST_INLINE bool mcast_find_igmp(const struct mcast_frame *frame)
{
	struct mcast_work *work = frame->work;
	struct mcast_message *message = &work->message;
	uint32_t network = message->network, header, total, available = work->length - network;
	const uint8_t *ip = mcast_at(frame, network, 10);

	if (!ip || ip[0] >> 4 != 4 || ip[9] != MCAST_PROTOCOL_IGMP)
		return false;
	message->kind = MCAST_IGMP_OTHER;
	header = (ip[0] & 15u) * 4;
	total = mcast_be16(ip + 2);
	if (mcast_be16(ip + 6) & 0x3fff)
		mcast_refuse(message, MCAST_FRAGMENT);
	if (available < MCAST_IPV4_HEADER + 8 || available < header + 8 ||
	    (total >= header && total < header + 8))
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

MCAST_INLINE void mcast_classify_ipv4(const struct mcast_frame *frame,
				      const struct mcast_rules *rules)
{
	struct mcast_work *work = frame->work;
	struct mcast_message *message = &work->message;
	uint64_t header_sum = 0, message_sum = 0;
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
	m = mcast_at(frame, offset, 8);
	if (!ip || !m)
		return;
	if (m[0] == 0x11 && message->length > 8 && rules->igmp_max_version == 3 &&
	    (message->length < 12 || !mcast_at(frame, offset, 12)))
		mcast_refuse(message, MCAST_TOO_SHORT);
	if (mcast_is_router_alert_alone(frame))
		work->router_alert = 1;
	else
		mcast_walk_options(frame, false);
	if (work->malformed)
		mcast_refuse(message, MCAST_BAD_LENGTH);
	if (message->reason)
		return;
	if (!mcast_header_sum(frame, &header_sum) ||
	    !mcast_frame_sum(frame, message->message, message->length, &message_sum) ||
	    mcast_fold(header_sum) != 0xffff || mcast_fold(message_sum) != 0xffff) {
		message->reason = MCAST_BAD_CHECKSUM;
		return;
	}
	MCAST_FORGET();
	mcast_check_igmp(frame, rules, ip, m);
	if (message->kind == MCAST_IGMP_OTHER && !mcast_igmp_type_is_known(m[0]))
		mcast_refuse(message, MCAST_UNKNOWN_TYPE);
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

MCAST_INLINE bool mcast_is_zero_16(const uint8_t *address)
{
	return !(mcast_word(address) | mcast_word(address + 4) | mcast_word(address + 8) |
		 mcast_word(address + 12));
}

MCAST_INLINE bool mcast_is_equal_16(const uint8_t *a, const uint8_t *b)
{
	return mcast_word(a) == mcast_word(b) && mcast_word(a + 4) == mcast_word(b + 4) &&
	       mcast_word(a + 8) == mcast_word(b + 8) && mcast_word(a + 12) == mcast_word(b + 12);
}

/* ff02::1 */
MCAST_INLINE bool mcast_is_all_nodes(const uint8_t *address)
{
	return mcast_be32(address) == 0xff020000 && !mcast_word(address + 4) &&
	       !mcast_word(address + 8) && mcast_be32(address + 12) == 1;
}

/* Where a query went: all nodes, the group asked for, or an address of ours (RFC 9777 §5.1.15). */
MCAST_INLINE void mcast_check_mld_destination(const uint8_t *destination, const uint8_t *group,
					      struct mcast_message *message)
{
	if (destination[0] == 0xff &&
	    (!mcast_is_query(message->kind) || mcast_is_all_nodes(destination) ||
	     mcast_is_equal_16(destination, group)))
		return;
	mcast_flag(message, MCAST_TO_ASSIGNED);
}

MCAST_INLINE void mcast_check_mld(const struct mcast_frame *frame, const struct mcast_rules *rules,
				  const uint8_t *ip)
{
	struct mcast_message *message = &frame->work->message;
	const uint8_t *source = ip + 8, *destination = ip + 24, *group, *tail;
	uint8_t kind = message->kind;
	bool link_local = source[0] == 0xfe && (source[1] & 0xc0) == 0x80;
	bool may_be_unspecified = kind == MCAST_MLD_REPORT_2 || kind == MCAST_MLD_LEAVE_1;

	if (ip[7] != 1)
		mcast_refuse(message, MCAST_BAD_TTL);
	if (!frame->work->router_alert)
		mcast_refuse(message, MCAST_NO_ROUTER_ALERT);
	if (!link_local && !(may_be_unspecified && mcast_is_zero_16(source)))
		mcast_refuse(message, MCAST_BAD_SOURCE);
	if (mcast_is_report(kind))
		mcast_flag(message, MCAST_FROM_OTHERS);
	if (kind == MCAST_MLD_REPORT_2) {
		if (destination[0] != 0xff)
			mcast_flag(message, MCAST_TO_ASSIGNED);
		return;
	}
	group = mcast_at(frame, message->message + 8u, 16);
	if (!group)
		return; /* the length has been found wanting already */
	mcast_check_mld_destination(destination, group, message);
	if (group[0] != 0xff && !(mcast_is_query(kind) && mcast_is_zero_16(group)))
		mcast_refuse(message, MCAST_BAD_GROUP);
	if (kind != MCAST_MLD_QUERY_2 || rules->mld_max_version < 2)
		return;
	tail = mcast_at(frame, message->message + 24u, 4);
	if (!tail)
		return;
	if (mcast_be16(tail + 2) && mcast_is_zero_16(group))
		mcast_refuse(message, MCAST_BAD_GROUP);
	else if (message->length < 28 + 16u * mcast_be16(tail + 2))
		mcast_refuse(message, MCAST_BAD_SOURCE_COUNT);
}

/* --- IPv6 ------------------------------------------------------------------------------------- */

/* Whether a hop-by-hop options header is the one that everybody sends: Router Alert for MLD, and
 * padding. */
MCAST_INLINE bool mcast_is_usual_hop_by_hop(const uint8_t *header)
{
	return header[1] == 0 && mcast_be32(header + 2) == 0x05020000 &&
	       mcast_be16(header + 6) == 0x0100;
}

/* Steps over the extension header at `work->offset`. */
MCAST_INLINE void mcast_step(const struct mcast_frame *frame, bool first)
{
	struct mcast_work *work = frame->work;
	const uint8_t *header = mcast_at(frame, work->offset, 8);
	uint8_t next;

	if (!header || (work->next == MCAST_PROTOCOL_HOP_BY_HOP && !first)) {
		work->malformed = 1;
		return;
	}
	next = header[0];
	if (work->next == MCAST_PROTOCOL_HOP_BY_HOP && mcast_is_usual_hop_by_hop(header)) {
		work->router_alert = 1;
		work->offset += 8;
		work->next = next;
		return;
	}
	if (work->next == MCAST_PROTOCOL_FRAGMENT) {
		work->fragment = 1;
		/* Of a later fragment nothing more can be told than its next header. */
		if (mcast_be16(header + 2) & 0xfff8)
			work->offset = 0;
		else
			work->offset += 8;
		work->next = next;
		return;
	}
	work->end = work->offset + (header[1] + 1u) * 8;
	work->offset += 2;
	mcast_walk_options(frame, true);
	work->offset = work->end;
	work->next = next;
}

MCAST_INLINE bool mcast_is_extension(uint8_t next)
{
	return next == MCAST_PROTOCOL_HOP_BY_HOP || next == MCAST_PROTOCOL_DESTINATION_OPTIONS ||
	       next == MCAST_PROTOCOL_FRAGMENT;
}

MCAST_INLINE void mcast_walk_extensions(const struct mcast_frame *frame)
{
	struct mcast_work *work = frame->work;
	int i;

	for (i = 0; i < MCAST_EXTENSION_HEADERS; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (!mcast_is_extension(work->next) || !work->offset || work->malformed)
			return;
		mcast_step(frame, i == 0);
	}
	if (mcast_is_extension(work->next))
		work->malformed = 1;
}

/* Sum of the pseudo-header of RFC 8200 §8.1; `length` is that of the ICMPv6 message. */
MCAST_INLINE uint64_t mcast_pseudo_header_sum(const uint8_t *ip, uint32_t length)
{
	const uint8_t tail[8] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
				 (uint8_t)(length >> 8),  (uint8_t)length, 0, 0, 0, MCAST_PROTOCOL_ICMPV6};

	return (uint64_t)mcast_word(ip + 8) + mcast_word(ip + 12) + mcast_word(ip + 16) +
	       mcast_word(ip + 20) + mcast_word(ip + 24) + mcast_word(ip + 28) +
	       mcast_word(ip + 32) + mcast_word(ip + 36) + mcast_word(tail) + mcast_word(tail + 4);
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

MCAST_INLINE void mcast_classify_icmpv6(const struct mcast_frame *frame,
					const struct mcast_rules *rules)
{
	struct mcast_work *work = frame->work;
	struct mcast_message *message = &work->message;
	const uint8_t *m = mcast_at(frame, work->offset, 1), *ip;
	uint64_t sum;

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
	sum = mcast_pseudo_header_sum(ip, message->length);
	if (!mcast_frame_sum(frame, message->message, message->length, &sum) ||
	    mcast_fold(sum) != 0xffff) {
		message->reason = MCAST_BAD_CHECKSUM;
		return;
	}
	MCAST_FORGET();
	mcast_check_mld(frame, rules, ip);
}

MCAST_INLINE void mcast_classify_ipv6(const struct mcast_frame *frame,
				      const struct mcast_rules *rules)
{
	struct mcast_work *work = frame->work;
	const uint8_t *ip = mcast_at(frame, work->message.network, MCAST_IPV6_HEADER);

	if (!ip || ip[0] >> 4 != 6)
		return;
	work->next = ip[6];
	work->offset = work->message.network + MCAST_IPV6_HEADER;
	mcast_walk_extensions(frame);
	MCAST_FORGET();
	if (work->fragment && !work->offset) {
		if (work->next == MCAST_PROTOCOL_ICMPV6)
			mcast_refuse_chain(work, MCAST_FRAGMENT);
		return;
	}
	if (work->next == MCAST_PROTOCOL_ICMPV6)
		mcast_classify_icmpv6(frame, rules);
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
		if (ethertype != MCAST_ETHERTYPE_VLAN && ethertype != MCAST_ETHERTYPE_SERVICE_VLAN &&
		    ethertype != MCAST_ETHERTYPE_OLD_SERVICE_VLAN)
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
	return ethertype;
}

/* Classifies what stands behind the link layer, at `work->message.network`. */
MCAST_INLINE void mcast_classify_network(const struct mcast_frame *frame, uint16_t ethertype,
					 const struct mcast_rules *rules)
{
	if (ethertype == MCAST_ETHERTYPE_IPV4)
		mcast_classify_ipv4(frame, rules);
	else if (ethertype == MCAST_ETHERTYPE_IPV6)
		mcast_classify_ipv6(frame, rules);
	MCAST_FORGET();
}

/* Classifies an Ethernet frame into `frame->work->message`. */
MCAST_INLINE void mcast_classify(const struct mcast_frame *frame, const struct mcast_rules *rules)
{
	mcast_classify_network(frame, mcast_find_network(frame), rules);
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
