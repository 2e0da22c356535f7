/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the multicast UDP datagram in a frame: behind up to two VLAN tags, IPv4 options, IPv6 extension
 * headers. Pure C as work.h is; how a frame is read, the includer provides: mcast_bytes().
 */
#ifndef MCAST_DATAGRAM_H
#define MCAST_DATAGRAM_H

#include "stream_abi.h"
#include "bytes.h"

enum {
	MCAST_PROTOCOL_UDP = 17,
	MCAST_PROTOCOL_ROUTING = 43,
	MCAST_UDP_HEADER = 8,
	MCAST_HEADERS_BEFORE_UDP = 16, /* followed at the most, of IPv6 */
	MCAST_START_WORDS = 3,         /* of a payload: as many as an RTP header has */
};

/* A frame to be read: `length` bytes on the wire, of which `captured` are there. */
struct mcast_source {
	void *context; /* for mcast_bytes() */
	uint32_t length;
	uint32_t captured;
	int hook; /* likewise */
};

enum mcast_found { MCAST_FOUND_NOTHING = 0, MCAST_FOUND_DATAGRAM = 1, MCAST_FOUND_FRAGMENT = 2 };

/* What is found, and where the walk through it stands; offsets count from the start of the frame. As
 * struct mcast_work, this lives in memory for the verifier's sake. */
struct mcast_datagram {
	struct mcast_stream_key key; /* but for the interface, which the includer knows */
	uint32_t bytes;              /* of the IP packet */
	uint32_t payload;            /* where the datagram's payload begins, */
	uint32_t length;             /* how long it is, as UDP says, */
	uint32_t there;              /* and how much of that can be read */
	uint8_t found;
	uint8_t has_payload; /* the UDP length is one */
	uint8_t is_whole;    /* all of the payload is there */
	uint8_t counter;     /* of the TS packet looked at, */
	uint32_t at;         /* where in the frame that is, */
	uint32_t until;      /* where they end, */
	uint32_t pid;        /* its PID, */
	uint32_t place;      /* and where that is kept */
	uint32_t ttl;        /* the IP packet's time to live, or hop limit */
	uint32_t has_start;  /* the first words of the payload are known: */
	uint32_t start[MCAST_START_WORDS];
	uint64_t number;  /* that the payload has, in its format, */
	uint64_t mask;    /* the bits that numbers have there, 0 if it has none, */
	uint64_t before;  /* when the stream's packet before this one came */
	uint32_t numbers; /* from that on, of the packet */
	uint32_t reserved;
};

/* Copies `size` bytes (a constant) at `offset` of the frame to where words may be put if they are four
 * or more; false if they are not all there. Provided by the includer. The verifier lets words be read
 * from there only where they are aligned. */
MCAST_INLINE bool mcast_bytes(const struct mcast_source *source, uint32_t offset, void *to,
			      uint32_t size);

/* The datagram's port and payload, from its UDP header at `udp`; the IP packet ends at `end`, and is a
 * first fragment if `more` follow. */
MCAST_INLINE void mcast_find_payload(const struct mcast_source *source,
				     struct mcast_datagram *datagram, uint32_t udp, uint32_t end,
				     bool more)
{
	uint32_t words[2], length, there;
	const uint8_t *header = (const uint8_t *)words;

	if (udp + MCAST_UDP_HEADER > end || !mcast_bytes(source, udp, words, sizeof(words)))
		return;
	datagram->key.port = mcast_be16(header + 2);
	datagram->payload = udp + MCAST_UDP_HEADER;
	datagram->found = MCAST_FOUND_DATAGRAM;
	length = mcast_be16(header + 4);
	if (length < MCAST_UDP_HEADER || (!more && udp + length > end))
		return;
	datagram->has_payload = 1;
	datagram->length = length - MCAST_UDP_HEADER;
	there = (end < source->captured ? end : source->captured) - datagram->payload;
	if (there >= datagram->length) {
		there = datagram->length;
		datagram->is_whole = !more;
	}
	datagram->there = there;
}

/* Looks at an IPv4 packet at `network`. */
MCAST_INLINE void mcast_find_in_ipv4(const struct mcast_source *source,
				     struct mcast_datagram *datagram, uint32_t network)
{
	uint32_t words[5], header, total, fragment;
	const uint8_t *ip = (const uint8_t *)words;

	if (!mcast_bytes(source, network, words, sizeof(words)))
		return;
	header = (ip[0] & 15u) * 4;
	total = mcast_be16(ip + 2);
	if (ip[0] >> 4 != 4 || ip[9] != MCAST_PROTOCOL_UDP || ip[16] >> 4 != 14 ||
	    header < MCAST_IPV4_HEADER || total < header || total > source->length - network)
		return;
	fragment = mcast_be16(ip + 6);
	if (fragment & 0x1fff) {
		datagram->found = MCAST_FOUND_FRAGMENT;
		return;
	}
	datagram->bytes = total;
	datagram->ttl = ip[8];
	datagram->key.width = 4;
	__builtin_memcpy(datagram->key.source, &words[3], 4);
	__builtin_memcpy(datagram->key.group, &words[4], 4);
	mcast_find_payload(source, datagram, network + header, network + total, fragment & 0x2000);
}

/* The extension headers of an IPv6 packet that are passed. */
struct mcast_chain {
	uint32_t offset; /* of the next header */
	uint8_t next;    /* which that is */
	uint8_t more;    /* this is a first fragment */
	uint8_t later;   /* this is a later fragment */
};

/* Steps over the extension header at `chain->offset`; false if it cannot be one. */
MCAST_INLINE bool mcast_pass_header(const struct mcast_source *source, struct mcast_chain *chain,
				    uint32_t end)
{
	uint32_t words[2], fragment;
	const uint8_t *header = (const uint8_t *)words;

	if (chain->offset + 8 > end || !mcast_bytes(source, chain->offset, words, sizeof(words)))
		return false;
	if (chain->next == MCAST_PROTOCOL_FRAGMENT) {
		fragment = mcast_be16(header + 2);
		chain->more |= fragment & 1;
		chain->later = (fragment & 0xfff8) != 0;
		chain->offset += 8;
	} else {
		chain->offset += (header[1] + 1u) * 8;
	}
	chain->next = header[0];
	return true;
}

/* Passes all extension headers; false if they do not lead to a next header. Hop-by-hop options are only
 * the first (RFC 8200 §4.1). */
MCAST_INLINE bool mcast_pass_headers(const struct mcast_source *source, struct mcast_chain *chain,
				     uint32_t end)
{
	uint64_t i;

	for (i = 0; i < MCAST_HEADERS_BEFORE_UDP; i++) {
		MCAST_KEEP(i);
		MCAST_FORGET();
		if (chain->later ||
		    (!mcast_is_extension(chain->next) && chain->next != MCAST_PROTOCOL_ROUTING))
			return true;
		if ((chain->next == MCAST_PROTOCOL_HOP_BY_HOP && i) ||
		    !mcast_pass_header(source, chain, end))
			return false;
	}
	return chain->later || chain->next == MCAST_PROTOCOL_UDP;
}

/* Looks at an IPv6 packet at `network`. */
MCAST_INLINE void mcast_find_in_ipv6(const struct mcast_source *source,
				     struct mcast_datagram *datagram, uint32_t network)
{
	uint32_t words[10], total;
	const uint8_t *ip = (const uint8_t *)words;
	struct mcast_chain chain = { .offset = network + MCAST_IPV6_HEADER };

	if (!mcast_bytes(source, network, words, sizeof(words)))
		return;
	total = MCAST_IPV6_HEADER + (uint32_t)mcast_be16(ip + 4);
	if (ip[0] >> 4 != 6 || ip[24] != 0xff || total > source->length - network)
		return;
	datagram->bytes = total;
	datagram->ttl = ip[7];
	datagram->key.width = 16;
	__builtin_memcpy(datagram->key.source, &words[2], 16);
	__builtin_memcpy(datagram->key.group, &words[6], 16);
	chain.next = ip[6];
	if (!mcast_pass_headers(source, &chain, network + total))
		return;
	MCAST_FORGET();
	if (chain.next != MCAST_PROTOCOL_UDP)
		return;
	if (chain.later)
		datagram->found = MCAST_FOUND_FRAGMENT;
	else
		mcast_find_payload(source, datagram, chain.offset, network + total, chain.more);
}

/* Looks at the packet at `network`, of that Ethernet type. */
MCAST_INLINE void mcast_find_in_packet(const struct mcast_source *source,
				       struct mcast_datagram *datagram, uint16_t ethertype,
				       uint32_t network)
{
	if (ethertype == MCAST_ETHERTYPE_IPV4)
		mcast_find_in_ipv4(source, datagram, network);
	else if (ethertype == MCAST_ETHERTYPE_IPV6)
		mcast_find_in_ipv6(source, datagram, network);
	MCAST_FORGET();
}

/* Finds the datagram in an Ethernet frame, whoever it is sent to there. */
MCAST_INLINE void mcast_find_datagram(const struct mcast_source *source,
				      struct mcast_datagram *datagram)
{
	uint32_t network = MCAST_ETHERNET_HEADER, tag;
	uint16_t ethertype, half;
	int i;

	if (!mcast_bytes(source, MCAST_ETHERNET_HEADER - 2, &half, sizeof(half)))
		return;
	ethertype = mcast_be16((const uint8_t *)&half);
	for (i = 0; i < 2; i++) {
		if (!mcast_is_vlan(ethertype))
			break;
		if (!mcast_bytes(source, network, &tag, sizeof(tag)))
			return;
		datagram->key.vlan[i] = mcast_be16((const uint8_t *)&tag) & 0xfff;
		datagram->key.tags++;
		network += 4;
		ethertype = mcast_be16((const uint8_t *)&tag + 2);
	}
	MCAST_FORGET();
	mcast_find_in_packet(source, datagram, ethertype, network);
}

/* Copies words of a packet. */
MCAST_INLINE void mcast_copy_words(uint8_t *to, const uint8_t *from, int words)
{
	uint32_t word;
	int i;

	for (i = 0; i < words; i++) {
		word = mcast_word(from + 4 * i);
		__builtin_memcpy(to + 4 * i, &word, sizeof(word));
	}
}

/* A length in a header, to be added to a pointer; for the mask see mcast_length_at() of usual.h. */
MCAST_INLINE uint32_t mcast_total_at(const uint8_t *p)
{
	uint32_t length = mcast_be16(p);

	MCAST_KEEP(length);
	return length & 0xffff;
}

/* Finds the datagram in a frame of which all lies from `data` to `end`, without tags, IPv4 options,
 * extension headers or fragments: the shape that nearly all have. False, and nothing else, if the
 * frame is not of that shape; mcast_find_datagram() would find the same in one that is. */
MCAST_INLINE bool mcast_is_usual_datagram(struct mcast_datagram *datagram, const uint8_t *data,
					  const uint8_t *end)
{
	const uint8_t *ip = data + MCAST_ETHERNET_HEADER, *udp;
	uint32_t total, header, length;
	uint16_t ethertype;

	if (ip + MCAST_IPV4_HEADER + MCAST_UDP_HEADER > end)
		return false;
	ethertype = mcast_be16(ip - 2);
	if (ethertype == MCAST_ETHERTYPE_IPV4) {
		total = mcast_total_at(ip + 2);
		header = MCAST_IPV4_HEADER;
		datagram->ttl = ip[8];
		if (ip[0] != 0x45 || ip[9] != MCAST_PROTOCOL_UDP || mcast_be16(ip + 6) & 0x3fff ||
		    ip[16] >> 4 != 14)
			return false;
		mcast_copy_words(datagram->key.source, ip + 12, 1);
		mcast_copy_words(datagram->key.group, ip + 16, 1);
		datagram->key.width = 4;
		udp = ip + MCAST_IPV4_HEADER;
	} else {
		if (ethertype != MCAST_ETHERTYPE_IPV6 ||
		    ip + MCAST_IPV6_HEADER + MCAST_UDP_HEADER > end || ip[0] >> 4 != 6 ||
		    ip[6] != MCAST_PROTOCOL_UDP || ip[24] != 0xff)
			return false;
		total = MCAST_IPV6_HEADER + mcast_total_at(ip + 4);
		datagram->ttl = ip[7];
		header = MCAST_IPV6_HEADER;
		mcast_copy_words(datagram->key.source, ip + 8, 4);
		mcast_copy_words(datagram->key.group, ip + 24, 4);
		datagram->key.width = 16;
		udp = ip + MCAST_IPV6_HEADER;
	}
	length = mcast_be16(udp + 4);
	if (ip + total > end || length < MCAST_UDP_HEADER || header + length > total)
		return false;
	datagram->key.port = mcast_be16(udp + 2);
	datagram->bytes = total;
	datagram->payload = MCAST_ETHERNET_HEADER + header + MCAST_UDP_HEADER;
	datagram->length = datagram->there = length - MCAST_UDP_HEADER;
	datagram->has_payload = datagram->is_whole = 1;
	datagram->found = MCAST_FOUND_DATAGRAM;
	if (udp + MCAST_UDP_HEADER + 4 * MCAST_START_WORDS <= end) {
		mcast_copy_words((uint8_t *)datagram->start, udp + MCAST_UDP_HEADER,
				 MCAST_START_WORDS);
		datagram->has_start = 1;
	}
	return true;
}

#endif
