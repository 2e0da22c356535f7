/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading packets: their headers' numbers, bytes as numbers, and what the kernel's verifier wants. Pure C
 * as work.h is. */
#ifndef MCAST_BYTES_H
#define MCAST_BYTES_H

#ifndef MCAST_INLINE
#define MCAST_INLINE static inline __attribute__((always_inline))
#endif

enum {
	MCAST_AF_INET = 2,
	MCAST_AF_INET6 = 10,
	MCAST_PACKET_HOST = 0, /* what a packet is from the first, if it is not from elsewhere */
	MCAST_PRIORITY_CONTROL = 7, /* TC_PRIO_CONTROL: of the kernel's own IGMP and MLD */
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
	MCAST_IPV4_OPTIONS = 16,    /* walked at the most; longer chains are refused */
	MCAST_EXTENSION_STEPS = 20, /* likewise, extension headers and options in them */
};

MCAST_INLINE bool mcast_is_vlan(uint16_t ethertype)
{
	return ethertype == MCAST_ETHERTYPE_VLAN || ethertype == MCAST_ETHERTYPE_SERVICE_VLAN ||
	       ethertype == MCAST_ETHERTYPE_OLD_SERVICE_VLAN;
}

/* Whether that is an IPv6 extension header which may stand before MLD. */
MCAST_INLINE bool mcast_is_extension(uint8_t next)
{
	return next == MCAST_PROTOCOL_HOP_BY_HOP || next == MCAST_PROTOCOL_DESTINATION_OPTIONS ||
	       next == MCAST_PROTOCOL_FRAGMENT;
}

/* The 16 or 32 bits at any address, as they lie in memory. The programs say MCAST_READS_ANYWHERE:
 * LLVM would have them put every word together from its bytes, and the kernel lets them read words
 * anywhere where the processor does. */
#ifdef MCAST_READS_ANYWHERE
MCAST_INLINE uint16_t mcast_half_word(const uint8_t *p)
{
	return *(const uint16_t *)(const void *)p;
}

MCAST_INLINE uint32_t mcast_word(const uint8_t *p)
{
	return *(const uint32_t *)(const void *)p;
}
#else
MCAST_INLINE uint16_t mcast_half_word(const uint8_t *p)
{
	uint16_t half;

	__builtin_memcpy(&half, p, sizeof(half));
	return half;
}

MCAST_INLINE uint32_t mcast_word(const uint8_t *p)
{
	uint32_t word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
}
#endif

MCAST_INLINE uint16_t mcast_be16(const uint8_t *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(mcast_half_word(p));
#else
	return mcast_half_word(p);
#endif
}

/* The number that a word of a packet stands for. */
MCAST_INLINE uint32_t mcast_number(uint32_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(word);
#else
	return word;
#endif
}

/* The first byte of a word of a packet. */
MCAST_INLINE uint32_t mcast_first_byte(uint32_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word & 0xff;
#else
	return word >> 24;
#endif
}

MCAST_INLINE uint32_t mcast_be32(const uint8_t *p)
{
	return mcast_number(mcast_word(p));
}

/* Whether a sum over data and their checksum says that they are right: folded to 16 bits it is all
 * ones, so it is a multiple of 65535, and not 0. A multiple of an odd number is what becomes small when
 * multiplied by that number's inverse modulo 2^64. */
MCAST_INLINE bool mcast_is_right(uint64_t sum)
{
	return sum * 0xfffefffefffeffff - 1 < 0x0001000100010001;
}

/* Makes the compiler read memory anew. The verifier follows every value that it can tell, along
 * every path on its own; it cannot tell those that come from a map. So what is found out about a
 * message goes to memory, where all paths look the same to it. */
#define MCAST_FORGET() asm volatile("" : : : "memory")

/* Hides a value from the compiler, which else may move a loop's bound or a check of a size to where
 * the verifier does not see it (LLVM 14 does). */
#define MCAST_KEEP(value) asm volatile("" : "+r"(value))

/* True, and the function's way on, only if `size` (uint64_t) is from 1 to `most`. Written so that every
 * verifier since Linux 5.18 knows it afterwards: of "not 0 and at most N" LLVM makes one comparison,
 * from which those before 6.18 learn nothing of 0, and 6.1 does not remember "not 0" at all. The
 * size less 1 is compared, and hidden, so that the 1 is added behind the comparison. */
#define MCAST_IS_FROM_1_TO(size, most) \
	({ \
		(size)--; \
		MCAST_KEEP(size); \
		bool is_within = (size) < (most); \
		if (is_within) \
			(size)++; \
		is_within; \
	})

#endif
