/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MCAST_PRIVILEGES_H
#define MCAST_PRIVILEGES_H

#include <stdint.h>

/* Gives up, for this process and all that it starts, every capability whose bit (1 << CAP_...) is
 * not in `kept`; what is kept stays as far as it was there. Returns 0, or an errno. */
int mcast_keep_capabilities(uint64_t kept);

/* Makes what this process may use what it does use: of capabilities that a file grants without the
 * effective bit, nothing is used until this is called. Returns 0, or an errno. */
int mcast_use_capabilities(void);

#endif
