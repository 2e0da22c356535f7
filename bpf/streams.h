/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What one datagram adds to what is kept of its stream: its arrival, and what its payload says. */
#ifndef MCAST_STREAMS_H
#define MCAST_STREAMS_H

#include "numbers.h"
#include "transport.h"

enum {
	MCAST_RTP_HEADER = 12,
	MCAST_SACN_HEADER = 115, /* up to the universe */
	MCAST_MOLD_HEADER = 20,
	MCAST_MOLD_END = 0xffff
};

/* --- Arrival ---------------------------------------------------------------------------------- */

/* Which of `gaps` a gap belongs to: the power of two that its length, in 62,500 ns, is not beyond. By
 * halves, and not by a division, which takes as long as a look-up on many processors. */
MCAST_INLINE uint32_t mcast_gap_class(uint64_t gap)
{
	uint64_t bound = 62500;
	uint32_t class = 0, half;

	if (gap <= bound)
		return 0;
	for (half = 16; half; half /= 2) {
		if (gap > bound << (half - 1)) {
			class += half;
			bound <<= half;
		}
	}
	return class < MCAST_GAPS ? class : MCAST_GAPS - 1;
}

/* A packet of `bytes` has come at `now`. */
MCAST_INLINE void mcast_count_arrival(struct mcast_stream *stream, uint32_t bytes, uint64_t now)
{
	uint64_t gap;

	if (stream->packets) {
		gap = now > stream->last ? now - stream->last : 0;
		stream->gaps[mcast_gap_class(gap) & (MCAST_GAP_ROOM - 1)]++;
		if (gap > stream->longest_gap)
			stream->longest_gap = gap;
	} else {
		stream->first = now;
	}
	stream->last = now;
	stream->packets++;
	stream->bytes += bytes;
	MCAST_FORGET();
}

/* --- RTP -------------------------------------------------------------------------------------- */

/* The payload has `count` numbers from that one on, of as many bits as `mask` has. */
MCAST_INLINE void mcast_note_number(struct mcast_datagram *datagram, uint64_t number, uint64_t mask,
				    uint32_t count)
{
	datagram->number = number;
	datagram->mask = mask;
	datagram->numbers = count;
}

/* A packet that may be RTP. */
struct mcast_rtp {
	uint32_t content; /* where its content begins in the payload, */
	uint32_t end;     /* and ends */
	uint32_t ssrc;
	uint16_t number;
};

/* Where the extension that begins at `*end` ends; false if that is beyond the payload. */
MCAST_INLINE bool mcast_pass_extension(const struct mcast_source *source,
				       struct mcast_datagram *datagram, uint32_t *end)
{
	uint32_t word;

	if (*end + 4 > datagram->length)
		return false;
	if (*end + 4 > datagram->there)
		return !datagram->is_whole;
	if (!mcast_bytes(source, datagram->payload + *end, &word, sizeof(word)))
		return false;
	*end += 4 + 4u * mcast_be16((const uint8_t *)&word + 2);
	return *end <= datagram->length;
}

/* Whether the payload may be RTP (RFC 3550 §5.1); what it says into `rtp`. */
MCAST_INLINE bool mcast_may_be_rtp(const struct mcast_source *source,
				   struct mcast_datagram *datagram, struct mcast_rtp *rtp)
{
	uint32_t words[3], end;
	const uint8_t *header = (const uint8_t *)words;
	uint8_t type, padding;

	if (datagram->there < MCAST_RTP_HEADER)
		return false;
	if (datagram->has_start)
		__builtin_memcpy(words, datagram->start, sizeof(words));
	else if (!mcast_bytes(source, datagram->payload, words, sizeof(words)))
		return false;
	type = header[1] & 0x7f;
	end = MCAST_RTP_HEADER + (header[0] & 15u) * 4;
	/* Types from 64 to 95 are RTCP's (RFC 5761 §4). */
	if (header[0] >> 6 != 2 || (type >= 64 && type < 96) || end > datagram->there)
		return false;
	if (header[0] & 0x10 && !mcast_pass_extension(source, datagram, &end))
		return false;
	rtp->content = end;
	rtp->end = datagram->length;
	if (header[0] & 0x20 && datagram->is_whole) {
		if (!mcast_bytes(source, datagram->payload + datagram->length - 1, &padding, 1) ||
		    !padding || end + padding > datagram->length)
			return false;
		rtp->end = datagram->length - padding;
	}
	rtp->number = mcast_be16(header + 2);
	rtp->ssrc = words[2];
	return true;
}

/* True if the payload may be RTP; then its number is counted. */
MCAST_INLINE bool mcast_take_rtp(const struct mcast_source *source, struct mcast_stream *stream,
				 struct mcast_datagram *datagram)
{
	struct mcast_rtp rtp;
	bool has_ts;

	if (!mcast_may_be_rtp(source, datagram, &rtp))
		return false;
	has_ts = !stream->is_sequenced && mcast_are_ts(source, datagram, rtp.content, rtp.end);
	MCAST_FORGET();
	mcast_take_number(stream, rtp.number, 0xffff, rtp.ssrc, has_ts);
	mcast_note_number(datagram, rtp.number, 0xffff, 1);
	MCAST_FORGET();
	return true;
}

/* --- sACN, MoldUDP64, and numbers that are configured ----------------------------------------- */

/* Whether the payload begins as all packets of E1.31 do (E1.31 §5: preamble, postamble, identifier). */
MCAST_INLINE bool mcast_is_acn(const struct mcast_source *source, struct mcast_datagram *datagram)
{
	uint32_t words[4];
	const uint8_t *start = (const uint8_t *)words;

	return datagram->there >= MCAST_SACN_HEADER &&
	       mcast_bytes(source, datagram->payload, words, sizeof(words)) &&
	       mcast_be32(start) == 0x00100000 && mcast_be32(start + 4) == 0x4153432d &&
	       mcast_be32(start + 8) == 0x45312e31 && mcast_be32(start + 12) == 0x37000000;
}

/* True if the payload is a packet of E1.31 data; then its number is counted. */
MCAST_INLINE bool mcast_take_sacn(const struct mcast_source *source, struct mcast_stream *stream,
				  struct mcast_datagram *datagram)
{
	uint32_t root[5], framing, end; /* vector and CID; vector; number, options and universe */
	uint64_t identity[3];
	const uint8_t *cid = (const uint8_t *)&root[1];

	if (!mcast_is_acn(source, datagram) ||
	    !mcast_bytes(source, datagram->payload + 18, root, sizeof(root)) ||
	    !mcast_bytes(source, datagram->payload + 40, &framing, sizeof(framing)) ||
	    !mcast_bytes(source, datagram->payload + 111, &end, sizeof(end)) ||
	    mcast_number(root[0]) != 4 || mcast_number(framing) != 2)
		return false;
	identity[0] = (uint64_t)mcast_be32(cid) << 32 | mcast_be32(cid + 4);
	identity[1] = (uint64_t)mcast_be32(cid + 8) << 32 | mcast_be32(cid + 12);
	identity[2] = mcast_be16((const uint8_t *)&end + 2);
	if (stream->format == MCAST_FORMAT_NONE) { /* what was taken for RTP's numbers is none */
		stream->is_begun = 0;
		stream->lost = stream->reordered = stream->duplicates = stream->resets = 0;
		stream->received = 0;
		stream->format = MCAST_FORMAT_SACN;
	}
	mcast_take_byte(stream, *(const uint8_t *)&end, identity);
	mcast_note_number(datagram, *(const uint8_t *)&end, 0xff, 1);
	return true;
}

MCAST_INLINE void mcast_take_mold(const struct mcast_source *source, struct mcast_stream *stream,
				  struct mcast_datagram *datagram)
{
	uint32_t who[3], what[3]; /* the session; number and count: 10 bytes each */
	const uint8_t *session = (const uint8_t *)who, *header = (const uint8_t *)what;
	uint32_t count;

	if (datagram->there < MCAST_MOLD_HEADER ||
	    !mcast_bytes(source, datagram->payload, who, 10) ||
	    !mcast_bytes(source, datagram->payload + 10, what, 10))
		return;
	count = mcast_be16(header + 8);
	if (count == MCAST_MOLD_END)
		count = 0;
	mcast_note_number(datagram, (uint64_t)mcast_be32(header) << 32 | mcast_be32(header + 4),
			  ~0ull, count);
	mcast_take_messages(stream, datagram->number, count,
			    (uint64_t)mcast_be32(session) << 32 | mcast_be32(session + 4),
			    mcast_be16(session + 8));
}

MCAST_INLINE void mcast_take_custom(const struct mcast_source *source, struct mcast_stream *stream,
				    struct mcast_datagram *datagram)
{
	uint64_t nobody[3] = { 0 }, number = 0, i, size = stream->size;
	uint8_t byte;

	if ((uint32_t)stream->offset + (uint32_t)size > datagram->there)
		return;
	for (i = 0; i < 8; i++) {
		MCAST_KEEP(i);
		if (i >= size)
			break;
		if (!mcast_bytes(source, datagram->payload + stream->offset + (uint32_t)i, &byte,
				 1))
			return;
		number = number << 8 | byte;
	}
	mcast_note_number(datagram, number, mcast_low_bits(8 * size), 1);
	if (size == 1)
		mcast_take_byte(stream, (uint8_t)number, nobody);
	else
		mcast_take_number(stream, number, mcast_low_bits(8 * size), 0, false);
}

/* --- Formats ---------------------------------------------------------------------------------- */

/* A payload while the format is not known: it may become so. */
MCAST_INLINE void mcast_guess(const struct mcast_source *source, struct mcast_stream *stream,
			      struct mcast_datagram *datagram)
{
	if (mcast_take_sacn(source, stream, datagram))
		return;
	MCAST_FORGET();
	if (mcast_take_rtp(source, stream, datagram) && stream->is_sequenced)
		stream->format = stream->pair_had_ts ? MCAST_FORMAT_RTP_MPEGTS : MCAST_FORMAT_RTP;
	MCAST_FORGET();
	if (!mcast_are_ts(source, datagram, 0, datagram->length)) {
		mcast_forget_ts(stream);
		return;
	}
	MCAST_FORGET();
	mcast_take_ts(source, stream, datagram);
	if (stream->ts_before)
		stream->format = MCAST_FORMAT_MPEGTS;
	stream->ts_before = 1;
}

/* What the payload adds to the numbers. */
MCAST_INLINE void mcast_take_payload(const struct mcast_source *source, struct mcast_stream *stream,
				     struct mcast_datagram *datagram)
{
	uint8_t format = stream->format;

	if (format == MCAST_FORMAT_RTP || format == MCAST_FORMAT_RTP_MPEGTS) {
		mcast_take_rtp(source, stream, datagram);
	} else if (format == MCAST_FORMAT_MPEGTS) {
		if (mcast_are_ts(source, datagram, 0, datagram->length))
			mcast_take_ts(source, stream, datagram);
	} else if (format == MCAST_FORMAT_SACN) {
		mcast_take_sacn(source, stream, datagram);
	} else if (format == MCAST_FORMAT_MOLDUDP64) {
		mcast_take_mold(source, stream, datagram);
	} else if (format == MCAST_FORMAT_CUSTOM) {
		mcast_take_custom(source, stream, datagram);
	} else if (!stream->is_configured) {
		mcast_guess(source, stream, datagram);
	}
	MCAST_FORGET();
}

/* Counts a datagram that came at `now`. */
MCAST_INLINE void mcast_count_datagram(const struct mcast_source *source,
				       struct mcast_stream *stream, struct mcast_datagram *datagram,
				       uint64_t now)
{
	datagram->before = stream->last;
	stream->ttl = (uint8_t)datagram->ttl;
	mcast_count_arrival(stream, datagram->bytes, now);
	if (datagram->has_payload)
		mcast_take_payload(source, stream, datagram);
	else if (stream->format == MCAST_FORMAT_NONE)
		mcast_forget_ts(stream);
	MCAST_FORGET();
}

/* Whether a format is configured for such a stream. */
MCAST_INLINE bool mcast_is_for(const struct mcast_stream_format *format,
			       const struct mcast_stream_key *key)
{
	uint32_t differing = 0;
	int i;

	for (i = 0; i < 16; i += 4)
		differing |= (mcast_word(key->group + i) ^ mcast_word(format->group + i)) &
			     mcast_word(format->mask + i);
	return !differing && format->width == key->width &&
	       (!format->port || format->port == key->port);
}

/* The stream is of a format that is configured. */
MCAST_INLINE void mcast_set_format(struct mcast_stream *stream,
				   const struct mcast_stream_format *format)
{
	stream->is_configured = 1;
	stream->format = format->format;
	stream->offset = format->offset;
	stream->size = format->size;
	stream->step = format->count;
}

#endif
