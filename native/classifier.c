/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../bpf/usual.h"
#include "../bpf/walk.h"
#include "checksum.h"
#include "classifier.h"

MCAST_INLINE bool mcast_frame_sum(const struct mcast_frame *frame, uint32_t offset, uint32_t length,
				  uint64_t *sum)
{
	uint32_t words;
	uint16_t in_memory;

	if (offset > frame->work->length || length > frame->work->length - offset)
		return false;
	words = mcast_checksum_sum(frame->window + offset, length, 0);
	in_memory = (uint16_t)__builtin_bswap16((uint16_t)words);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	in_memory = (uint16_t)words;
#endif
	*sum += in_memory;
	return true;
}

/* Sets `work` up for `length` bytes; no length that a header can give reaches beyond 128 KiB. */
static struct mcast_frame frame_of(const uint8_t *bytes, size_t length, struct mcast_work *work)
{
	uint32_t bounded = length > 0x1ffff ? 0x1ffff : (uint32_t)length;

	memset(work, 0, sizeof(*work));
	work->length = bounded;
	work->readable = bounded < MCAST_WINDOW ? bounded : MCAST_WINDOW;
	return (struct mcast_frame){ .window = bytes, .work = work };
}

void mcast_classify_frame(const uint8_t *bytes, size_t length, const struct mcast_rules *rules,
			  struct mcast_message *message)
{
	struct mcast_work work;
	struct mcast_frame frame = frame_of(bytes, length, &work);

	mcast_walk(&frame, rules);
	mcast_judge(&frame, rules);
	*message = work.message;
}

int mcast_classify_usual(const uint8_t *bytes, size_t length, const struct mcast_rules *rules,
			 struct mcast_message *message)
{
	struct mcast_work work;
	struct mcast_frame frame = frame_of(bytes, length, &work);
	uint16_t type = mcast_type_of_control(bytes, bytes + work.length);

	if (!mcast_is_usual(&work, type, bytes, bytes + work.length))
		return 0;
	mcast_judge(&frame, rules);
	*message = work.message;
	return 1;
}

void mcast_classify_packet(const uint8_t *packet, size_t length, const struct mcast_rules *rules,
			   struct mcast_message *message)
{
	struct mcast_work work;
	struct mcast_frame frame = frame_of(packet, length, &work);
	uint16_t ethertype = 0;

	if (length && packet[0] >> 4 == 4)
		ethertype = MCAST_ETHERTYPE_IPV4;
	else if (length && packet[0] >> 4 == 6)
		ethertype = MCAST_ETHERTYPE_IPV6;
	mcast_walk_network(&frame, ethertype, rules);
	mcast_judge(&frame, rules);
	*message = work.message;
}

int mcast_needs_assigned_destination(const struct mcast_message *message)
{
	return mcast_destination_matters(message);
}

int mcast_needs_foreign_source(const struct mcast_message *message)
{
	return mcast_source_matters(message);
}
