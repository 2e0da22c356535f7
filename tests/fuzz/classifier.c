/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of any bytes: nothing outside of them is read, what is accepted lies within them, and the
 * short way through those of the usual shape leads where the long one does. */
#include "classifier.h"
#include "model.h"

static void check(const struct mcast_message *message, size_t length)
{
	require(message->kind <= MCAST_MLD_OTHER && message->reason <= MCAST_LOOPBACK);
	require(message->tags <= 2);
	if (message->kind == MCAST_NOT_CONTROL) {
		require(message->reason == MCAST_ACCEPTED);
		return;
	}
	require(message->network <= length);
	if (message->reason == MCAST_ACCEPTED) {
		require(message->message >= message->network + 20u);
		require(message->message + (size_t)message->length <= length);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mcast_rules rules;
	struct mcast_message message, shortly;
	uint8_t *copy;

	if (size < 1)
		return 0;
	rules.igmp_max_version = (uint8_t)(1 + data[0] % 3);
	rules.mld_max_version = (uint8_t)(1 + (data[0] >> 2) % 2);
	rules.require_ttl_1 = data[0] >> 3 & 1;
	rules.require_router_alert = data[0] >> 4 & 1;
	size--;
	copy = copy_of(data + 1, size);
	mcast_classify_frame(copy, size, &rules, &message);
	check(&message, size);
	if (mcast_classify_usual(copy, size, &rules, &shortly))
		require(memcmp(&message, &shortly, sizeof(message)) == 0);
	mcast_classify_packet(copy, size, &rules, &message);
	check(&message, size);
	free(copy);
	return 0;
}
