/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of the 16-bit
 * words of a message, in network order; an odd last byte is padded with zero. Sums and checksums
 * are numbers in host order. No alignment is asked of any pointer.
 */
#ifndef MCAST_CHECKSUM_H
#define MCAST_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The sum of `length` bytes at `data` and of `initial`, folded to 16 bits; 0 only if all bytes and
 * `initial` are 0. */
uint32_t mcast_checksum_sum(const uint8_t *data, size_t length, uint32_t initial);

/* The checksum of an ICMPv6 message: over a pseudo-header of `source` and `destination` (16 bytes
 * each), `length` and the next header value 58 (RFC 8200 section 8.1), then the message. 0 if the
 * message carries its own checksum and is whole. */
uint32_t mcast_checksum_icmpv6(const uint8_t *source, const uint8_t *destination,
			       const uint8_t *message, size_t length);

/* The checksum of a message in which words that sum up to `removed` are replaced by words that sum
 * up to `added`; `checksum` is the old one (RFC 1624, equation 3). The sums may be larger than 16
 * bits. */
uint32_t mcast_checksum_update(uint32_t checksum, uint32_t removed, uint32_t added);

#endif
