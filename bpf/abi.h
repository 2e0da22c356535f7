/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs, the native module and Python share: names of what a packet is, reasons for
 * refusing it, and the layout of everything that crosses a map or a ring. cffi reads this file too,
 * less its preprocessor lines: nothing may depend on them.
 *
 * All integers are in host byte order; addresses are in network order, IPv4 in the first four bytes.
 */
#ifndef MCAST_ABI_H
#define MCAST_ABI_H

/* What a packet is: protocol, type and version on the wire. */
enum mcast_kind {
	MCAST_NOT_CONTROL = 0, /* neither IGMP nor MLD */
	MCAST_IGMP_QUERY_1 = 1,
	MCAST_IGMP_QUERY_2 = 2,
	MCAST_IGMP_QUERY_3 = 3,
	MCAST_IGMP_REPORT_1 = 4,
	MCAST_IGMP_REPORT_2 = 5,
	MCAST_IGMP_REPORT_3 = 6,
	MCAST_IGMP_LEAVE_2 = 7,
	MCAST_IGMP_OTHER = 8, /* DVMRP, PIMv1, mtrace, discovery; also what cannot be told */
	MCAST_MLD_QUERY_1 = 9,
	MCAST_MLD_QUERY_2 = 10,
	MCAST_MLD_REPORT_1 = 11,
	MCAST_MLD_REPORT_2 = 12,
	MCAST_MLD_LEAVE_1 = 13, /* Multicast Listener Done */
	MCAST_MLD_OTHER = 14,   /* only where a refused packet's type cannot be told */
	MCAST_KINDS = 16
};

/* Why a packet is refused, in the order in which the reasons are looked for. */
enum mcast_reason {
	MCAST_ACCEPTED = 0,
	MCAST_FRAGMENT = 1,
	MCAST_TOO_SHORT = 2,  /* ends before the fixed part of its message does */
	MCAST_BAD_LENGTH = 3, /* lengths, options or extension headers that do not add up */
	MCAST_BAD_CHECKSUM = 4,
	MCAST_BAD_TTL = 5, /* hop limit too */
	MCAST_NO_ROUTER_ALERT = 6,
	MCAST_BAD_SOURCE = 7,
	MCAST_BAD_DESTINATION = 8,
	MCAST_BAD_GROUP = 9,
	MCAST_BAD_SOURCE_COUNT = 10, /* more sources or records announced than the message holds */
	MCAST_UNKNOWN_TYPE = 11,
	MCAST_LOOPBACK = 12,         /* our own */
	MCAST_UNLISTED_QUERIER = 13, /* a query of none of those that are named for the interface */
	MCAST_REASONS = 16
};

enum mcast_flag {
	MCAST_WITHOUT_ROUTER_ALERT = 1, /* accepted without it, where that is lenient */
	MCAST_TO_ASSIGNED = 2, /* good only if the destination is assigned to the interface */
	MCAST_FROM_OTHERS = 4  /* good only if the source is not our own */
};

/* How strictly to read; the rest of the rules is the RFCs' and has no knob. */
struct mcast_rules {
	uint8_t igmp_max_version; /* 1..3; below 3 queries are read as RFC 2236 and RFC 1112 do */
	uint8_t mld_max_version;  /* 1..2; below 2 queries are read as RFC 2710 does */
	uint8_t require_ttl_1;
	uint8_t require_router_alert;
};

/* What was found; offsets are in bytes from the start of the frame. */
struct mcast_message {
	uint8_t kind;
	uint8_t reason;
	uint8_t flags;
	uint8_t tags;     /* VLAN tags seen: 0..2 */
	uint16_t vlan[2]; /* their identifiers, outermost first */
	uint16_t network; /* offset of the IP header */
	uint16_t message; /* offset of the IGMP or ICMPv6 message; 0 if it was not reached */
	uint32_t length;  /* of that message, as the IP header says */
};

/* --- Maps and rings --------------------------------------------------------------------------- */

enum mcast_direction { MCAST_RX = 0, MCAST_TX = 1, MCAST_DIRECTIONS = 2 };

enum mcast_ring {
	MCAST_RING_QUERY = 0,
	MCAST_RING_REPORT = 1,
	MCAST_RING_EGRESS = 2,
	MCAST_RINGS = 3
};

enum mcast_loss { MCAST_LOST_RING_FULL = 0, MCAST_LOST_RATE_LIMITED = 1, MCAST_LOSSES = 2 };

/* The bytes of a frame that an event has at the most. */
enum mcast_room { MCAST_EVENT_FRAME = 9728 };

enum mcast_hook { MCAST_HOOK_XDP = 0, MCAST_HOOK_INGRESS = 1, MCAST_HOOK_EGRESS = 2 };

/* What is counted for one interface on one CPU; packets. */
struct mcast_counters {
	uint64_t accepted[2][16]; /* by direction and kind */
	uint64_t rejected[2][32]; /* by direction, and reason, MLD's 16 behind IGMP's */
	uint64_t events[3];       /* handed over, by ring */
	uint64_t lost[3][2];      /* not handed over, by ring and cause */
	uint64_t held_back[2]; /* the kernel's own reports and leaves, by protocol: under a cap */
	uint64_t consumed[2];  /* older queries kept from the kernel, by protocol: host mode */
	uint64_t discarded[2][2]; /* beyond the limits, kept from the kernel, by ring (queries,
				   * reports) and protocol: host mode */
	uint64_t passing[2];      /* reports and leaves of others that leave by this interface */
};

/* A limit of events in time: one token every `interval` ns, saved up for at most `burst` ns. An
 * interval of 0 is no limit. */
struct mcast_limit {
	uint64_t interval;
	uint64_t burst;
};

enum mcast_switch {
	MCAST_HAND_OVER_REPORTS = 1, /* somebody watches: other hosts' reports go to the ring */
	MCAST_HOST_MODE = 2,         /* the agent speaks here, while its heartbeat is fresh */
	MCAST_DISCARD_FLOODS = 4,    /* and what is beyond the limits is kept from the kernel, */
	MCAST_HOLD_IGMP = 8,         /* and the kernel's own reports and leaves are held back, */
	MCAST_HOLD_MLD = 16,
	MCAST_CONSUME_IGMP = 32, /* and older queries are kept from it, */
	MCAST_CONSUME_MLD = 64,
	MCAST_STRICT_KERNEL = 128, /* and queries that are refused here */
	MCAST_HAS_IPV4 = 256,      /* the interface has an address to report from */
	MCAST_HAS_IPV6 = 512,
	MCAST_TAGS_TAKEN_OUT = 1024, /* XDP cannot see VLAN tags here: it counts, and keeps floods
				      * from the kernel; a program behind it at the ingress hook of
				      * traffic control, which is told the tags, does the rest */
	MCAST_LISTED_IGMP = 2048, /* queriers are named: queries of others are refused, and kept */
	MCAST_LISTED_MLD = 4096   /* from the kernel in host mode */
};

/* Which of an interface's two ingress programs looks at a message, where there are two. */
enum mcast_stage { MCAST_STAGE_ONLY = 0, MCAST_STAGE_SECOND = 1, MCAST_STAGES = 2 };

/* Where the policies are. An interface's is in the place of its index, modulo MCAST_PLACES, or in one
 * of the next few; if others have all of these, behind them all, and a map says where. */
enum mcast_places { MCAST_PLACES = 4096, MCAST_PLACES_TRIED = 4 };

/* What is to be done with one interface's packets. */
struct mcast_policy {
	uint32_t ifindex; /* 0: nobody's */
	uint32_t slot;    /* the index of its counters and paces */
	uint32_t switches;
	struct mcast_rules rules;
	uint8_t hardware[8]; /* the interface's own address, then two zeros */
	uint8_t asking[8];   /* likewise, where the agent's questions to this kernel come from */
	uint64_t own;        /* the bits of its unicast addresses: see mcast_may_be_source() */
	uint64_t queriers;   /* likewise, of the queriers that are known */
	struct mcast_limit limit[3]; /* by ring */
	struct mcast_limit known;    /* of one known querier, when that of the ring is used up */
};

/* When the next event is due if they come as fast as they may, by stage and ring; ns of
 * CLOCK_MONOTONIC. */
struct mcast_pace {
	uint64_t due[2][3];
};

/* What an address is to an interface. */
enum mcast_assignment {
	MCAST_ASSIGNED = 1, /* a unicast address of it, or a group that is received */
	MCAST_DELAYING = 2 /* a group whose report is due: other hosts' older reports suppress it */
};

/* The key of what an address is to an interface. */
struct mcast_assigned {
	uint32_t ifindex;
	uint8_t address[16];
};

/* The key of queriers that are named for an interface, by prefix: its length counts the bits of
 * `ifindex` and `protocol` (1 for MLD), too. */
struct mcast_listed {
	uint32_t length;
	uint32_t ifindex;
	uint32_t protocol;
	uint8_t address[16];
};

/* A querier that is known by address (key: struct mcast_assigned) has a pace of its own, which no
 * flood of others' queries can take from it. */
struct mcast_querier {
	uint64_t due[2]; /* as in struct mcast_pace, by stage */
};

/* General queries that give a host the same time to answer are one question, whoever asks: the key
 * of when that was handed over last. Likewise of queries of queriers that are not named. */
struct mcast_question {
	uint32_t ifindex;
	uint8_t kind;
	uint8_t stage;
	uint8_t response; /* the time to answer: see mcast_response_class() */
	uint8_t unlisted;
};

/* Who reports through an interface whose kernel's own reports are held back, and is not held back: the
 * key of what it said last of that kind. */
struct mcast_passer {
	uint32_t ifindex;
	uint32_t kind;
	uint8_t hardware[8]; /* where it comes from, then two zeros */
};

struct mcast_passed {
	uint64_t at; /* ns of CLOCK_MONOTONIC */
	uint32_t source[4];
};

/* What became of the packet of an event. */
enum mcast_fate {
	MCAST_PASSED = 0,
	MCAST_HELD_BACK = 1, /* the kernel's own report, for which the agent speaks */
	MCAST_OWN = 2,       /* sent by the agent */
	MCAST_PASSING = 3,   /* sent by another than this kernel, through this interface */
	MCAST_PROBE = 4 /* the agent's own question whether it is told at all; nobody else saw it */
};

/* An event in a ring. `captured` bytes of the frame follow. */
struct mcast_event {
	uint64_t at; /* ns of CLOCK_MONOTONIC: when the hook saw it */
	uint32_t ifindex;
	uint32_t length; /* of the frame */
	uint32_t captured;
	uint8_t hook;
	uint8_t fate; /* enum mcast_fate */
	uint8_t reserved[2];
	struct mcast_message message;
};

/* --- Sockets ---------------------------------------------------------------------------------- */

/* Where the running kernel keeps what is looked for, in bytes from the start of a structure, and the
 * network namespace whose sockets are told. */
struct mcast_offsets {
	uint32_t namespace_;
	uint32_t socket_sk;
	uint32_t sock_family;
	uint32_t sock_net;
	uint32_t net_inum;
	uint32_t file_inode;
	uint32_t inode_number;
	uint32_t sock_flags; /* 0 if this kernel keeps them otherwise (before Linux 6.6) */
	uint32_t sock_list4;
	uint32_t sock_inet6;
	uint32_t inet6_list;
	uint32_t task_tgid;
	uint32_t task_comm;
	uint32_t task_cred;
	uint32_t cred_euid;
	uint32_t task_cgroups;
	uint32_t set_cgroup;
	uint32_t cgroup_node;
	uint32_t node_id;
	uint32_t item4_next;
	uint32_t item4_group;
	uint32_t item4_ifindex;
	uint32_t item4_mode;
	uint32_t item4_list;
	uint32_t item6_next;
	uint32_t item6_group;
	uint32_t item6_ifindex;
	uint32_t item6_mode;
	uint32_t item6_list;
	uint32_t list4_count;
	uint32_t list4_sources;
	uint32_t list6_count;
	uint32_t list6_sources;
};

/* What one socket has joined of one group on one interface, as far as it fits: the sources from
 * `first` on, of `total`. A socket that several processes hold comes once for each of them. */
struct mcast_socket {
	uint64_t sock; /* tells one socket from another */
	uint64_t cgroup;
	uint64_t item;
	uint64_t list;
	uint32_t namespace_;
	uint32_t pid;
	uint32_t uid;
	uint32_t fd;
	uint32_t ifindex;
	uint32_t mode; /* 0 EXCLUDE, 1 INCLUDE */
	uint32_t total;
	uint32_t first;
	uint32_t width; /* of an address: 4 or 16 */
	uint32_t inode; /* as in /proc/net/udp */
	uint32_t flags; /* inet_flags of the socket, the lower half */
	uint32_t hole;
	uint8_t group[16];
	uint8_t name[16];
	uint8_t sources[512];
};

/* How far a socket's joins were told when the ring was full. */
struct mcast_socket_place {
	uint64_t sock;
	uint32_t done;
	uint32_t fd;
};

#endif
