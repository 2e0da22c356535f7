/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#include <string.h>

#include "ring_copy.h"

size_t mcast_ring_copy(struct mcast_ring_reader *ring, uint8_t *to, size_t length, size_t most)
{
	const uint8_t *record;
	size_t count = 0, size;

	while (count < most && (record = mcast_ring_read(ring, &size)) != NULL) {
		if (size != length)
			continue;
		memcpy(to + count * length, record, length);
		count++;
	}
	mcast_ring_release(ring);
	return count;
}
