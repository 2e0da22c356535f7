/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The first look at a frame, by as few bytes as can tell: what is none of our business goes on. */
#ifndef MCAST_GLANCE_H
#define MCAST_GLANCE_H

#include "rules.h"

enum { MCAST_TELLING = MCAST_ETHERNET_HEADER + 10 }; /* bytes that tell what may be control */

/* Whether an IPv6 packet without VLAN tags, at `ip`, may be MLD. */
MCAST_INLINE bool mcast_may_be_mld(const uint8_t *ip, const uint8_t *end)
{
	const uint8_t *type = ip + MCAST_IPV6_HEADER;

	if (ip[6] != MCAST_PROTOCOL_ICMPV6)
		return mcast_is_extension(ip[6]);
	return type + 1 > end || mcast_mld_kind(*type, 0) != MCAST_NOT_CONTROL;
}

/* The Ethernet type of a frame that may be IGMP or MLD; 0 of every other. */
MCAST_INLINE uint16_t mcast_type_of_control(const uint8_t *data, const uint8_t *end)
{
	const uint8_t *ip = data + MCAST_ETHERNET_HEADER;
	uint16_t type;

	if (data + MCAST_TELLING > end)
		return 0;
	type = mcast_be16(data + MCAST_ETHERNET_HEADER - 2);
	if (type == MCAST_ETHERTYPE_IPV4)
		return ip[9] == MCAST_PROTOCOL_IGMP ? type : 0;
	if (type == MCAST_ETHERTYPE_IPV6)
		return mcast_may_be_mld(ip, end) ? type : 0;
	return mcast_is_vlan(type) ? type : 0;
}

#endif
