/* SPDX-License-Identifier: Apache-2.0 */
#include "link_facts.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_FEATURES = 1024 };

static bool ask(int fd, struct ifreq *request, void *command)
{
	request->ifr_data = command;
	return ioctl(fd, SIOCETHTOOL, request) == 0;
}

/* How many features there are; 0 if that is not told, or hard to believe. */
static uint32_t count_features(int fd, struct ifreq *request)
{
	struct {
		struct ethtool_sset_info head;
		uint32_t count;
	} info = { .head = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES } };

	if (!ask(fd, request, &info) || !info.head.sset_mask || info.count > MOST_FEATURES)
		return 0;
	return info.count;
}

/* Whether the feature of the given name is on. */
static bool is_on(const struct ethtool_gstrings *names, const struct ethtool_gfeatures *features,
		  const char *name)
{
	uint32_t i;

	for (i = 0; i < names->len && i / 32 < features->size; i++)
		if (!strncmp((const char *)names->data + i * ETH_GSTRING_LEN, name,
			     ETH_GSTRING_LEN))
			return features->features[i / 32].active >> i % 32 & 1;
	return false;
}

static bool takes_tags_out(int fd, struct ifreq *request)
{
	uint32_t count = count_features(fd, request), blocks = (count + 31) / 32;
	struct ethtool_gstrings *names;
	struct ethtool_gfeatures *features;
	bool found = true;

	if (!count)
		return true;
	names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	features = calloc(1, sizeof(*features) + blocks * sizeof(features->features[0]));
	if (names && features) {
		*names = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS,
						    .string_set = ETH_SS_FEATURES,
						    .len = count };
		*features = (struct ethtool_gfeatures){ .cmd = ETHTOOL_GFEATURES, .size = blocks };
		if (ask(fd, request, names) && ask(fd, request, features) && names->len <= count)
			found = is_on(names, features, "rx-vlan-hw-parse") ||
				is_on(names, features, "rx-vlan-stag-hw-parse");
	}
	free(names);
	free(features);
	return found;
}

int mcast_link_facts_of(int ifindex, struct mcast_link_facts *facts)
{
	struct ifreq request = { .ifr_ifindex = ifindex };
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	memset(facts, 0, sizeof(*facts));
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFNAME, &request)) {
		error = -errno;
	} else {
		if (ask(fd, &request, &driver)) {
			memcpy(facts->driver, driver.driver, sizeof(facts->driver) - 1);
			memcpy(facts->bus, driver.bus_info, sizeof(facts->bus) - 1);
		}
		facts->tags_taken_out = takes_tags_out(fd, &request);
	}
	close(fd);
	return error;
}
