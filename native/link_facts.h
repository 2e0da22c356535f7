/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MCAST_LINK_FACTS_H
#define MCAST_LINK_FACTS_H

/* What the driver of an interface says of it. `driver`: its name, as `ethtool -i` shows it; empty if
 * it says none. `bus`: where the device is, such as 0000:00:03.0. `tags_taken_out`: not 0 if it takes VLAN tags, customer's or provider's, out of the
 * frames that come in, or if it does not say. */
struct mcast_link_facts {
	char driver[32];
	char bus[32];
	int tags_taken_out;
};

/* Asks the kernel, in the network namespace of the calling thread. 0, or -errno if there is no such
 * interface, or it cannot be asked. */
int mcast_link_facts_of(int ifindex, struct mcast_link_facts *facts);

#endif
