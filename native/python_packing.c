/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Current-state records into the messages of as few reports as there can be (RFC 9776 section
 * 4.2.17). A message: type, 5 bytes of zeros, the number of records (16 bits), records; a record:
 * type, no auxiliary data, the number of sources (16 bits), group, sources.
 */
#include "python_packing.h"

#include <stdint.h>
#include <string.h>

enum { MESSAGE_HEAD = 8, RECORD_HEAD = 4, MODE_IS_EXCLUDE = 2, LARGEST = 0xffff };

/* The records, by column, and how far the packing has come: at which record, and how many bytes of
 * its sources are told already. The columns are borrowed. */
struct records {
	const uint8_t *types;
	PyObject *groups; /* a list of bytes, `width` of them */
	PyObject *sources; /* a list of bytes, whole addresses */
	Py_ssize_t count;
	Py_ssize_t width;
	Py_ssize_t at;
	Py_ssize_t told;
};

/* A message that is being filled; it began with the record `at`, `told` bytes into its sources. */
struct message {
	Py_ssize_t room; /* for records, in bytes */
	Py_ssize_t used;
	unsigned count;
	Py_ssize_t at;
	Py_ssize_t told;
	uint8_t bytes[MESSAGE_HEAD + LARGEST];
};

static void put_16(uint8_t *to, size_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void begin(struct message *message, const struct records *records)
{
	message->used = 0;
	message->count = 0;
	message->at = records->at;
	message->told = records->told;
}

/* Adds the message to the list. 0, or -1 after setting an error. */
static int finish(struct message *message, PyObject *messages)
{
	PyObject *bytes;
	int result;

	put_16(message->bytes + 6, message->count);
	bytes = PyBytes_FromStringAndSize((const char *)message->bytes, MESSAGE_HEAD + message->used);
	if (!bytes)
		return -1;
	result = PyList_Append(messages, bytes);
	Py_DECREF(bytes);
	return result;
}

static int are_bytes(PyObject *group, PyObject *sources, Py_ssize_t width)
{
	if (PyBytes_Check(group) && PyBytes_GET_SIZE(group) == width && PyBytes_Check(sources))
		return 1;
	PyErr_SetString(PyExc_TypeError, "groups and sources are bytes of one family");
	return 0;
}

/* Adds what fits of the next record, which is all of its sources or as many as a message holds:
 * 1 if it did, 0 if there is no room for that, -1 after setting an error. Of an EXCLUDE only the
 * lowest sources are ever told; others go on in the next message. */
static int add(struct message *message, struct records *records)
{
	PyObject *group = PyList_GET_ITEM(records->groups, records->at);
	PyObject *sources = PyList_GET_ITEM(records->sources, records->at);
	Py_ssize_t width = records->width, head = RECORD_HEAD + width;
	Py_ssize_t most = (message->room - head) / width * width, left, portion;
	uint8_t *to = message->bytes + MESSAGE_HEAD + message->used;

	if (!are_bytes(group, sources, width))
		return -1;
	left = PyBytes_GET_SIZE(sources) - records->told;
	if (left < 0)
		left = 0;
	portion = left > most ? most : left;
	if (head + portion > message->room - message->used)
		return 0;
	to[0] = records->types[records->at];
	to[1] = 0;
	put_16(to + 2, (size_t)(portion / width));
	memcpy(to + RECORD_HEAD, PyBytes_AS_STRING(group), (size_t)width);
	memcpy(to + head, PyBytes_AS_STRING(sources) + records->told, (size_t)portion);
	message->used += head + portion;
	message->count++;
	if (portion < left && to[0] != MODE_IS_EXCLUDE) {
		records->told += portion;
	} else {
		records->told = 0;
		records->at++;
	}
	return 1;
}

/* Fills messages until `most` are full or the records are at their end. The last one, if it is not
 * full, is given up unless `is_last`. 0, or -1 after setting an error. */
static int fill(struct message *message, struct records *records, PyObject *messages,
		Py_ssize_t most, int is_last)
{
	begin(message, records);
	while (PyList_GET_SIZE(messages) < most && records->at < records->count) {
		int added = add(message, records);

		if (added < 0)
			return -1;
		if (added)
			continue;
		if (finish(message, messages) < 0)
			return -1;
		begin(message, records);
	}
	if (message->count && is_last && PyList_GET_SIZE(messages) < most) {
		if (finish(message, messages) < 0)
			return -1;
		begin(message, records);
	}
	records->at = message->at;
	records->told = message->told;
	return 0;
}

static int is_sound(const struct records *records, Py_ssize_t types, Py_ssize_t room)
{
	return (records->width == 4 || records->width == 16) &&
	       PyList_GET_SIZE(records->groups) == types &&
	       PyList_GET_SIZE(records->sources) == types && records->at >= 0 &&
	       records->told >= 0 && records->told % records->width == 0 && room <= LARGEST &&
	       room >= RECORD_HEAD + 2 * records->width;
}

PyObject *mcast_pack_records(PyObject *module, PyObject *args)
{
	struct records records;
	struct message message;
	Py_ssize_t types, most;
	unsigned char type;
	PyObject *messages;
	int is_last;

	(void)module;
	if (!PyArg_ParseTuple(args, "bnny#O!O!(nn)np:pack_records", &type, &records.width,
			      &message.room, &records.types, &types, &PyList_Type, &records.groups,
			      &PyList_Type, &records.sources, &records.at, &records.told, &most,
			      &is_last))
		return NULL;
	records.count = types;
	if (!is_sound(&records, types, message.room)) {
		PyErr_SetString(PyExc_ValueError, "columns of one length, and room for a record");
		return NULL;
	}
	messages = PyList_New(0);
	if (!messages)
		return NULL;
	memset(message.bytes, 0, MESSAGE_HEAD);
	message.bytes[0] = type;
	if (fill(&message, &records, messages, most, is_last) < 0) {
		Py_DECREF(messages);
		return NULL;
	}
	return Py_BuildValue("(N(nn))", messages, records.at, records.told);
}
