/* SPDX-License-Identifier: Apache-2.0 */
/* The set algebra and the checksum in their plainest form: what the fuzz targets compare with. */
#ifndef MCAST_FUZZ_MODEL_H
#define MCAST_FUZZ_MODEL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct model_list {
	uint8_t *bytes;
	size_t n, width;
};

static inline void require(int truth)
{
	if (!truth)
		abort();
}

/* A buffer of exactly so many bytes: what writes or reads outside is found out. */
static inline uint8_t *exactly(size_t length)
{
	uint8_t *buffer = malloc(length ? length : 1);

	require(buffer != NULL);
	return buffer;
}

static inline uint8_t *copy_of(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = exactly(length);

	if (length)
		memcpy(copy, bytes, length);
	return copy;
}

static inline int model_has(const struct model_list *list, const uint8_t *address)
{
	for (size_t i = 0; i < list->n; i++)
		if (memcmp(list->bytes + i * list->width, address, list->width) == 0)
			return 1;
	return 0;
}

static inline void model_add(struct model_list *list, const uint8_t *address)
{
	size_t at = list->n, width = list->width;

	if (model_has(list, address))
		return;
	while (at > 0 && memcmp(address, list->bytes + (at - 1) * width, width) < 0)
		at--;
	memmove(list->bytes + (at + 1) * width, list->bytes + at * width, (list->n - at) * width);
	memcpy(list->bytes + at * width, address, width);
	list->n++;
}

static inline struct model_list model_empty(size_t room, size_t width)
{
	return (struct model_list){ .bytes = exactly(room * width), .width = width };
}

static inline struct model_list model_from(const uint8_t *addresses, size_t n, size_t width)
{
	struct model_list list = model_empty(n, width);

	for (size_t i = 0; i < n; i++)
		model_add(&list, addresses + i * width);
	return list;
}

static inline void model_check(const struct model_list *expected, const uint8_t *bytes, size_t n)
{
	require(n == expected->n && memcmp(bytes, expected->bytes, n * expected->width) == 0);
}

#endif
