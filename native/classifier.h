/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The classifier of bpf/, in user space. */
#ifndef MCAST_NATIVE_CLASSIFIER_H
#define MCAST_NATIVE_CLASSIFIER_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* Classifies an Ethernet frame of `length` bytes into `*message`. */
void mcast_classify_frame(const uint8_t *frame, size_t length, const struct mcast_rules *rules,
			  struct mcast_message *message);

/* The same by the short way of bpf/usual.h; 0, and nothing else, if the frame is not of its shape. */
int mcast_classify_usual(const uint8_t *frame, size_t length, const struct mcast_rules *rules,
			 struct mcast_message *message);

/* The same for a packet that begins with the IP header; offsets count from there. */
void mcast_classify_packet(const uint8_t *packet, size_t length, const struct mcast_rules *rules,
			   struct mcast_message *message);

/* 1 if the message stands only if its destination is assigned to the interface. */
int mcast_needs_assigned_destination(const struct mcast_message *message);

/* 1 if the message stands only if its source is not one of our own addresses. */
int mcast_needs_foreign_source(const struct mcast_message *message);

#endif
