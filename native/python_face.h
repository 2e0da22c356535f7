/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Python calls for every group and every message. A call through cffi takes longer than the
 * union of two short lists, so that these few are made with Python's own C interface.
 */
#ifndef MCAST_PYTHON_FACE_H
#define MCAST_PYTHON_FACE_H

/* Adds the types `PackedList`, `RecordTable`, `Captured` and `RingReader` and the functions
 * `difference_pair`, `checksum`, `icmpv6_checksum` and `checksum_update` to the module
 * `mcastd._native`; more than once does nothing. Takes the GIL by itself. Returns 0, or -1 after
 * printing why not. */
int mcast_add_python_face(void);

#endif
