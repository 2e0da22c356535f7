/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Current-state records, kept in order and packed into the messages of as few reports as there can
 * be (RFC 9776 section 4.2.17). A message: type, 5 bytes of zeros, the number of records (16 bits),
 * records; a record: type, no auxiliary data, the number of sources (16 bits), group, sources.
 */
#include "python_packing.h"

#include <stdint.h>
#include <string.h>

#include "record_table.h"

enum { MESSAGE_HEAD = 8, RECORD_HEAD = 4, MODE_IS_EXCLUDE = 2, LARGEST = 0xffff };

/* The sources of a record are bytes that the table owns a reference to, or NULL for none. */
struct table_object {
	PyObject_HEAD
	struct mcast_record_table table;
};

/* How far a walk has come: behind the record of `group`, or within it, behind its source `source`,
 * if there is one. Both are empty at the start. Borrowed. */
struct position {
	const uint8_t *group;
	const uint8_t *source;
};

/* A message that is being filled, and where it ends. */
struct message {
	size_t room; /* for records, in bytes */
	size_t used;
	size_t width;
	unsigned count;
	struct position end;
	uint8_t bytes[MESSAGE_HEAD + LARGEST];
};

static struct mcast_record_table *table_of(PyObject *self)
{
	return &((struct table_object *)self)->table;
}

static PyObject *table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = { "width", NULL };
	Py_ssize_t width;
	PyObject *self;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n", names, &width))
		return NULL;
	if (width != 4 && width != 16)
		return PyErr_Format(PyExc_ValueError, "an address has 4 or 16 bytes, not %zd",
				    width);
	self = type->tp_alloc(type, 0);
	if (self)
		table_of(self)->width = (size_t)width;
	return self;
}

static void table_dealloc(PyObject *self)
{
	struct mcast_record_place place = { 0, 0 };
	const struct mcast_record *record;
	PyTypeObject *type = Py_TYPE(self);

	while ((record = mcast_records_next(table_of(self), &place)))
		Py_XDECREF((PyObject *)record->sources);
	mcast_records_clear(table_of(self));
	type->tp_free(self);
	Py_DECREF(type);
}

/* The bytes of an address of the table's width. NULL after setting an error. */
static const uint8_t *group_from(PyObject *self, PyObject *group)
{
	if (PyBytes_Check(group) && (size_t)PyBytes_GET_SIZE(group) == table_of(self)->width)
		return (const uint8_t *)PyBytes_AS_STRING(group);
	PyErr_SetString(PyExc_TypeError, "a group is bytes of the table's family");
	return NULL;
}

static int are_sources(PyObject *self, PyObject *sources)
{
	if (PyBytes_Check(sources) &&
	    (size_t)PyBytes_GET_SIZE(sources) % table_of(self)->width == 0)
		return 1;
	PyErr_SetString(PyExc_TypeError,
			"sources are bytes, whole addresses of the table's family");
	return 0;
}

static PyObject *table_put(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
	const uint8_t *group;
	struct mcast_record *record;
	PyObject *before;
	long type;

	if (n != 3)
		return PyErr_Format(PyExc_TypeError, "put() takes a group, a type and sources");
	group = group_from(self, args[0]);
	if (!group || !are_sources(self, args[2]))
		return NULL;
	type = PyLong_AsLong(args[1]);
	if (type == -1 && PyErr_Occurred())
		return NULL;
	if (type < 0 || type > 0xff)
		return PyErr_Format(PyExc_ValueError, "a type has 8 bits");
	record = mcast_records_put(table_of(self), group);
	if (!record)
		return PyErr_NoMemory();
	before = record->sources;
	record->type = (uint8_t)type;
	record->sources = PyBytes_GET_SIZE(args[2]) ? args[2] : NULL;
	Py_XINCREF((PyObject *)record->sources);
	Py_XDECREF(before);
	Py_RETURN_NONE;
}

static PyObject *table_drop(PyObject *self, PyObject *object)
{
	const uint8_t *group = group_from(self, object);
	void *sources = NULL;

	if (!group)
		return NULL;
	if (!mcast_records_drop(table_of(self), group, &sources)) {
		PyErr_SetObject(PyExc_KeyError, object);
		return NULL;
	}
	Py_XDECREF((PyObject *)sources);
	Py_RETURN_NONE;
}

static struct mcast_record_place place_behind(PyObject *self, PyObject *group)
{
	const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(group);

	if (!PyBytes_GET_SIZE(group))
		return (struct mcast_record_place){ 0, 0 };
	return mcast_records_from(table_of(self), bytes, 1);
}

static PyObject *table_groups(PyObject *self, PyObject *args)
{
	struct mcast_record_table *table = table_of(self);
	const struct mcast_record *record;
	struct mcast_record_place place;
	PyObject *behind, *groups;
	Py_ssize_t most;

	if (!PyArg_ParseTuple(args, "Sn:groups", &behind, &most) ||
	    (PyBytes_GET_SIZE(behind) && !group_from(self, behind)))
		return NULL;
	groups = PyList_New(0);
	place = place_behind(self, behind);
	while (groups && PyList_GET_SIZE(groups) < most &&
	       (record = mcast_records_next(table, &place))) {
		PyObject *group = PyBytes_FromStringAndSize((const char *)record->group,
							    (Py_ssize_t)table->width);

		if (!group || PyList_Append(groups, group) < 0)
			Py_CLEAR(groups);
		Py_XDECREF(group);
	}
	return groups;
}

static Py_ssize_t table_length(PyObject *self)
{
	return (Py_ssize_t)table_of(self)->count;
}

static void put_16(uint8_t *to, size_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

/* Adds the message to the list and begins another. 0, or -1 after setting an error. */
static int finish(struct message *message, PyObject *messages)
{
	PyObject *bytes;
	int result;

	put_16(message->bytes + 6, message->count);
	bytes = PyBytes_FromStringAndSize((const char *)message->bytes,
					  MESSAGE_HEAD + (Py_ssize_t)message->used);
	if (!bytes)
		return -1;
	result = PyList_Append(messages, bytes);
	Py_DECREF(bytes);
	message->used = 0;
	message->count = 0;
	return result;
}

/* The bytes of the sources behind `source`, which need not be one of them. */
static size_t behind_source(const uint8_t *sources, size_t length, const uint8_t *source,
			    size_t width)
{
	size_t low = 0, high = length / width;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(sources + middle * width, source, width) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low * width;
}

/* Adds a record with as many of the sources as a message holds, if there is room for that: how many
 * bytes of them, or -1. */
static Py_ssize_t add(struct message *message, const struct mcast_record *record,
		      const uint8_t *sources, size_t left)
{
	size_t width = message->width, head = RECORD_HEAD + width;
	size_t most = (message->room - head) / width * width;
	size_t portion = left < most ? left : most;
	uint8_t *to = message->bytes + MESSAGE_HEAD + message->used;

	if (head + portion > message->room - message->used)
		return -1;
	to[0] = record->type;
	to[1] = 0;
	put_16(to + 2, portion / width);
	memcpy(to + RECORD_HEAD, record->group, width);
	if (portion)
		memcpy(to + head, sources, portion);
	message->used += head + portion;
	message->count++;
	return (Py_ssize_t)portion;
}

static size_t length_of(const struct mcast_record *record)
{
	return record->sources ? (size_t)PyBytes_GET_SIZE((PyObject *)record->sources) : 0;
}

static const uint8_t *sources_of(const struct mcast_record *record)
{
	return record->sources ? (const uint8_t *)PyBytes_AS_STRING((PyObject *)record->sources) :
				 NULL;
}

/* Tells of one record, from `at` in its sources on, in as many messages as that takes: 1 if it is
 * all told, 0 if the list has `most` messages before. Of an EXCLUDE only the lowest sources are ever
 * told. -1 after setting an error. */
static int tell(struct message *message, const struct mcast_record *record, size_t at,
		PyObject *messages, Py_ssize_t most)
{
	const uint8_t *sources = sources_of(record);
	size_t length = length_of(record);

	for (;;) {
		Py_ssize_t told = add(message, record, at ? sources + at : sources, length - at);

		if (told < 0) {
			if (finish(message, messages) < 0)
				return -1;
			if (PyList_GET_SIZE(messages) >= most)
				return 0;
			continue;
		}
		at += (size_t)told;
		message->end.group = record->group;
		if (at == length || record->type == MODE_IS_EXCLUDE) {
			message->end.source = NULL;
			return 1;
		}
		message->end.source = sources + at - message->width;
	}
}

/* Where to go on in the sources of a record that was begun: behind `source`. */
static size_t go_on(const struct mcast_record *record, const uint8_t *source, size_t width)
{
	if (record->type == MODE_IS_EXCLUDE)
		return 0;
	return behind_source(sources_of(record), length_of(record), source, width);
}

/* Fills messages from a position on until there are `most`, or the records are at their end: 1 if
 * they are, 0 if not; then `end` says how far what is in the messages goes. -1 after an error. */
static int fill(const struct mcast_record_table *table, struct message *message,
		struct position start, PyObject *messages, Py_ssize_t most)
{
	struct mcast_record_place place = { 0, 0 };
	const struct mcast_record *record;

	message->end = start;
	if (start.group)
		place = mcast_records_from(table, start.group, start.source == NULL);
	while ((record = mcast_records_next(table, &place))) {
		size_t at = 0;
		int all = 1;

		if (start.source && !memcmp(record->group, start.group, table->width))
			at = go_on(record, start.source, table->width);
		start.source = NULL;
		if (record->type && (!at || at < length_of(record)))
			all = tell(message, record, at, messages, most);
		if (all != 1)
			return all;
	}
	if (message->count && finish(message, messages) < 0)
		return -1;
	return 1;
}

/* A position as Python has it; None at the end. NULL after setting an error. */
static PyObject *position_object(const struct position *end, size_t width, int at_end)
{
	Py_ssize_t group = end->group ? (Py_ssize_t)width : 0;
	Py_ssize_t source = end->source ? (Py_ssize_t)width : 0;

	if (at_end)
		Py_RETURN_NONE;
	return Py_BuildValue("(y#y#)", end->group ? (const char *)end->group : "", group,
			     end->source ? (const char *)end->source : "", source);
}

static int is_address(Py_ssize_t length, size_t width, const uint8_t **bytes)
{
	if (!length)
		*bytes = NULL;
	return !length || (size_t)length == width;
}

static PyObject *table_pack(PyObject *self, PyObject *args)
{
	struct mcast_record_table *table = table_of(self);
	Py_ssize_t room, group, source, most;
	struct position start;
	struct message message;
	unsigned char type;
	PyObject *messages, *position;
	int at_end;

	if (!PyArg_ParseTuple(args, "bn(y#y#)n:pack", &type, &room, &start.group, &group,
			      &start.source, &source, &most))
		return NULL;
	if (!is_address(group, table->width, &start.group) ||
	    !is_address(source, table->width, &start.source) || (start.source && !start.group) ||
	    room > LARGEST || room < RECORD_HEAD + 2 * (Py_ssize_t)table->width || most < 1)
		return PyErr_Format(PyExc_ValueError,
				    "a position of this family, and room for a record");
	messages = PyList_New(0);
	if (!messages)
		return NULL;
	message.room = (size_t)room;
	message.width = table->width;
	message.used = 0;
	message.count = 0;
	memset(message.bytes, 0, MESSAGE_HEAD);
	message.bytes[0] = type;
	at_end = fill(table, &message, start, messages, most);
	position = at_end < 0 ? NULL : position_object(&message.end, table->width, at_end);
	if (!position) {
		Py_DECREF(messages);
		return NULL;
	}
	return Py_BuildValue("(NN)", messages, position);
}

static PyMethodDef table_methods[] = {
	{ "put", (PyCFunction)(void (*)(void))table_put, METH_FASTCALL,
	  "put(group, type, sources): adds or replaces a record." },
	{ "drop", table_drop, METH_O,
	  "drop(group): removes its record; KeyError if there is none." },
	{ "groups", table_groups, METH_VARARGS,
	  "groups(behind, most): the next groups, b\"\" being before all." },
	{ "pack", table_pack, METH_VARARGS,
	  "pack(message_type, room, position, most): messages, and the position behind them." },
	{ 0 },
};

static PyType_Slot table_slots[] = {
	{ Py_tp_doc, "Current-state records in order; see mcastd.native.RecordTable." },
	{ Py_tp_new, table_new },
	{ Py_tp_dealloc, table_dealloc },
	{ Py_tp_methods, table_methods },
	{ Py_sq_length, table_length },
	{ 0, NULL },
};

static PyType_Spec table_spec = {
	.name = "mcastd._native.RecordTable",
	.basicsize = sizeof(struct table_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = table_slots,
};

int mcast_add_record_table(PyObject *module)
{
	PyObject *type = PyType_FromSpec(&table_spec);
	int result = type ? PyModule_AddObjectRef(module, "RecordTable", type) : -1;

	Py_XDECREF(type);
	return result;
}
