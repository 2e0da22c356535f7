/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the sockets of this host have joined, and whose they are: an iterator over the files of all
 * tasks. It needs no headers of the running kernel: where the kernel keeps what, its BTF says, and the
 * loader writes that into a map (struct mcast_offsets).
 *
 * What changes lives in a map, not in registers, and nothing branches in the loop but its end: so the
 * verifier sees a straight line and not a tree.
 */
#ifndef MCAST_SOCKETS_H
#define MCAST_SOCKETS_H

#include "work.h"

/* Parts of filters of one socket that are told in one run; what is left is not told, and so the
 * socket's filters are not exact. Linux 6.1 has no room for many more. */
enum { MCAST_SOCKET_STEPS = 256 };

BPF_ARRAY(socket_offsets, struct mcast_offsets, 1);
BPF_PERCPU_ARRAY(socket_scratch, struct mcast_socket, 1);
BPF_ARRAY(socket_places, struct mcast_socket_place, 1);

/* A ring, and not the text of the iterator's file: that has 32 KiB for one socket's whole output, and
 * who joins more than fits would keep all others from being seen. */
BPF_RINGBUF_OUTPUT(socket_events, 64);

struct mcast_iterator {
	void *meta;
	void *task;
	uint32_t fd;
	uint32_t hole;
	void *file;
};

enum {
	MCAST_SOCK_FROM_FILE = 162, /* bpf_sock_from_file, which the compiler does not know yet */
	MCAST_NO_WAKEUP = 1         /* BPF_RB_NO_WAKEUP: the reader knows when to look */
};

#define MCAST_FETCH(to, from) bpf_probe_read_kernel(&(to), sizeof(to), (const void *)(from))

/* Not in the macro below: the compiler's front end rewrites uses of maps in plain text only. */
static inline int mcast_give(struct mcast_socket *record)
{
	return socket_events.ringbuf_output(record, sizeof(*record), MCAST_NO_WAKEUP);
}

/* One step: a part of a group's sources; then the next group. A read that fails leaves what was there
 * before, so what is followed is cleared first. Returns 1 from the program when the ring is full: the
 * same file comes again, and is told from here. Counted, because pointers do not outlive the run. */
#define MCAST_WALK(items, lists) \
	do { \
		MCAST_FETCH(record->group, record->item + at->items##_group); \
		MCAST_FETCH(record->ifindex, record->item + at->items##_ifindex); \
		MCAST_FETCH(record->mode, record->item + at->items##_mode); \
		record->list = 0; \
		record->total = 0; \
		MCAST_FETCH(record->list, record->item + at->items##_list); \
		MCAST_FETCH(record->total, record->list + at->lists##_count); \
		size = (uint64_t)(record->total - record->first) * record->width; \
		asm volatile("" : "+r"(size)); \
		if (size > sizeof(record->sources)) \
			size = sizeof(record->sources); \
		bpf_probe_read_kernel(record->sources, size, \
				      (const void *)(record->list + at->lists##_sources + \
						     (uint64_t)record->first * record->width)); \
		if (done >= place->done && mcast_give(record)) { \
			place->sock = record->sock; \
			place->fd = record->fd; \
			place->done = done; \
			return 1; \
		} \
		done++; \
		record->first += sizeof(record->sources) / record->width; \
		if (record->first >= record->total) { \
			item = 0; \
			MCAST_FETCH(item, record->item + at->items##_next); \
			record->item = item; \
			record->first = 0; \
		} \
	} while (0)

int mcast_sockets(struct mcast_iterator *ctx)
{
	void *file = ctx->file, *task = ctx->task;
	uint8_t *socket, *sock = 0;
	uint64_t pointer, size, item;
	uint32_t zero = 0, i, done = 0;
	uint16_t family = 0;
	struct mcast_offsets *at = socket_offsets.lookup(&zero);
	struct mcast_socket *record = socket_scratch.lookup(&zero);
	struct mcast_socket_place *place = socket_places.lookup(&zero);

	if (!at || !record || !place || !file || !task)
		return 0;
	socket = (uint8_t *)((void *(*)(void *))MCAST_SOCK_FROM_FILE)(file);
	if (!socket)
		return 0;
	MCAST_FETCH(sock, socket + at->socket_sk);
	if (!sock)
		return 0;
	MCAST_FETCH(family, sock + at->sock_family);
	if (family != MCAST_AF_INET && family != MCAST_AF_INET6)
		return 0;
	__builtin_memset(record, 0, __builtin_offsetof(struct mcast_socket, group));
	pointer = 0;
	MCAST_FETCH(pointer, sock + at->sock_net);
	MCAST_FETCH(record->namespace_, pointer + at->net_inum);
	if (record->namespace_ != at->namespace_)
		return 0;
	record->sock = (uint64_t)sock;
	pointer = 0;
	MCAST_FETCH(pointer, (uint8_t *)file + at->file_inode);
	MCAST_FETCH(record->inode, pointer + at->inode_number);
	MCAST_FETCH(record->flags, sock + at->sock_flags);
	record->fd = ctx->fd;
	if (place->sock != record->sock || place->fd != record->fd)
		place->done = 0;
	place->sock = 0;
	MCAST_FETCH(record->pid, (uint8_t *)task + at->task_tgid);
	MCAST_FETCH(record->name, (uint8_t *)task + at->task_comm);
	pointer = 0;
	MCAST_FETCH(pointer, (uint8_t *)task + at->task_cred);
	MCAST_FETCH(record->uid, pointer + at->cred_euid);
	pointer = 0;
	MCAST_FETCH(pointer, (uint8_t *)task + at->task_cgroups);
	MCAST_FETCH(pointer, pointer + at->set_cgroup);
	MCAST_FETCH(pointer, pointer + at->cgroup_node);
	MCAST_FETCH(record->cgroup, pointer + at->node_id);
	item = 0;
	MCAST_FETCH(item, sock + at->sock_list4);
	record->item = item;
	record->width = 4;
	for (i = 0; i < MCAST_SOCKET_STEPS && record->item; i++)
		MCAST_WALK(item4, list4);
	if (family != MCAST_AF_INET6)
		return 0;
	pointer = 0;
	item = 0;
	MCAST_FETCH(pointer, sock + at->sock_inet6);
	MCAST_FETCH(item, pointer + at->inet6_list);
	record->item = item;
	record->width = 16;
	record->first = 0;
	for (i = 0; i < MCAST_SOCKET_STEPS && record->item; i++)
		MCAST_WALK(item6, list6);
	return 0;
}

#endif
