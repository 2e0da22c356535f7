/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of a ring as Python objects: one copy, from the ring into the object; what Python never
 * asks for is never made.
 */
#include "python_ring.h"

#include <stdbool.h>
#include <string.h>

#include <structmember.h>

#include "abi.h"
#include "ring.h"

enum { IPV4_WIDTH = 4, IPV6_WIDTH = 16 };

/* An event that never changes, and as many bytes of its frame as `event.captured` says. */
struct captured {
	PyObject_VAR_HEAD
	struct mcast_event event;
	uint8_t frame[];
};

struct reader {
	PyObject_HEAD
	struct mcast_ring_reader *ring; /* NULL when closed */
};

static PyTypeObject *captured_type, *reader_type;

/* --- Captured --------------------------------------------------------------------------------- */

static const struct captured *as_captured(PyObject *object)
{
	return (const struct captured *)object;
}

static PyObject *bytes_from(const uint8_t *bytes, size_t length)
{
	return PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)length);
}

/* An event of what is in a record of the ring; NULL after an error, or without one if the record is
 * too short for what it says it holds. */
static PyObject *captured_from(const uint8_t *record, size_t length)
{
	struct mcast_event event;
	struct captured *self;

	if (length < sizeof(event))
		return NULL;
	memcpy(&event, record, sizeof(event));
	if (event.captured > length - sizeof(event))
		return NULL;
	self = PyObject_NewVar(struct captured, captured_type, (Py_ssize_t)event.captured);
	if (!self)
		return NULL;
	self->event = event;
	memcpy(self->frame, record + sizeof(event), event.captured);
	return (PyObject *)self;
}

static PyObject *captured_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = { "record", NULL };
	PyObject *self = NULL;
	Py_buffer record;

	(void)type;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*", names, &record))
		return NULL;
	self = captured_from(record.buf, (size_t)record.len);
	PyBuffer_Release(&record);
	if (!self && !PyErr_Occurred())
		PyErr_SetString(PyExc_ValueError, "too short for an event and its frame");
	return self;
}

static void captured_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);

	PyObject_Free(self);
	Py_DECREF(type);
}

static bool is_mld(const struct captured *self)
{
	return self->event.message.kind >= MCAST_MLD_QUERY_1;
}

/* `size` bytes at `offset` of the frame; None if they were not captured. */
static PyObject *part_of(const struct captured *self, size_t offset, size_t size)
{
	if (offset > self->event.captured || size > self->event.captured - offset)
		Py_RETURN_NONE;
	return bytes_from(self->frame + offset, size);
}

static PyObject *get_frame(PyObject *self, void *closure)
{
	(void)closure;
	return bytes_from(as_captured(self)->frame, as_captured(self)->event.captured);
}

static PyObject *get_vlan(PyObject *self, void *closure)
{
	const struct mcast_message *message = &as_captured(self)->event.message;

	(void)closure;
	switch (message->tags) {
	case 0:
		return PyTuple_New(0);
	case 1:
		return Py_BuildValue("(i)", message->vlan[0]);
	default:
		return Py_BuildValue("(ii)", message->vlan[0], message->vlan[1]);
	}
}

static PyObject *get_source(PyObject *object, void *closure)
{
	const struct captured *self = as_captured(object);
	size_t network = self->event.message.network;

	(void)closure;
	return is_mld(self) ? part_of(self, network + 8, IPV6_WIDTH) :
			      part_of(self, network + 12, IPV4_WIDTH);
}

static PyObject *get_destination(PyObject *object, void *closure)
{
	const struct captured *self = as_captured(object);
	size_t network = self->event.message.network;

	(void)closure;
	return is_mld(self) ? part_of(self, network + 24, IPV6_WIDTH) :
			      part_of(self, network + 16, IPV4_WIDTH);
}

/* Whether the message is about one group, or about all of them as a query may be. */
static bool has_group(const struct mcast_message *message)
{
	switch (message->kind) {
	case MCAST_NOT_CONTROL:
	case MCAST_IGMP_REPORT_3:
	case MCAST_IGMP_OTHER:
	case MCAST_MLD_REPORT_2:
	case MCAST_MLD_OTHER:
		return false;
	default:
		return message->message > 0;
	}
}

static PyObject *get_group(PyObject *object, void *closure)
{
	const struct captured *self = as_captured(object);
	size_t message = self->event.message.message;

	(void)closure;
	if (!has_group(&self->event.message))
		Py_RETURN_NONE;
	return is_mld(self) ? part_of(self, message + 8, IPV6_WIDTH) :
			      part_of(self, message + 4, IPV4_WIDTH);
}

/* All but when and where: what decides how the frame is decoded. */
static PyObject *get_content(PyObject *object, void *closure)
{
	const struct captured *self = as_captured(object);
	const size_t head = sizeof(self->event.message);
	PyObject *content = bytes_from(NULL, head + self->event.captured);
	uint8_t *to;

	(void)closure;
	if (!content)
		return NULL;
	to = (uint8_t *)PyBytes_AS_STRING(content);
	memcpy(to, &self->event.message, head);
	memcpy(to + head, self->frame, self->event.captured);
	return content;
}

#define EVENT(field) offsetof(struct captured, event.field)

static PyMemberDef captured_members[] = {
	{ "at", T_ULONGLONG, EVENT(at), READONLY, "When the hook saw it, ns of CLOCK_MONOTONIC." },
	{ "ifindex", T_UINT, EVENT(ifindex), READONLY, "Where." },
	{ "frame_length", T_UINT, EVENT(length), READONLY, "Of the whole frame, in bytes." },
	{ "hook", T_UBYTE, EVENT(hook), READONLY, "enum mcast_hook." },
	{ "fate", T_UBYTE, EVENT(fate), READONLY, "enum mcast_fate." },
	{ "kind", T_UBYTE, EVENT(message.kind), READONLY, "enum mcast_kind." },
	{ "reason", T_UBYTE, EVENT(message.reason), READONLY, "enum mcast_reason." },
	{ "flags", T_UBYTE, EVENT(message.flags), READONLY, "enum mcast_flag." },
	{ "tags", T_UBYTE, EVENT(message.tags), READONLY, "VLAN tags." },
	{ "network", T_USHORT, EVENT(message.network), READONLY, "Offset of the IP header." },
	{ "message", T_USHORT, EVENT(message.message), READONLY, "Offset of the message." },
	{ "length", T_UINT, EVENT(message.length), READONLY, "Of the message." },
	{ 0 },
};

static PyGetSetDef captured_getters[] = {
	{ "frame", get_frame, NULL, "What was captured of the frame.", NULL },
	{ "vlan", get_vlan, NULL, "VLAN identifiers, outermost first.", NULL },
	{ "source", get_source, NULL, "Of the IP header; None if it is not there.", NULL },
	{ "destination", get_destination, NULL, "Of the IP header; None if it is not there.",
	  NULL },
	{ "group", get_group, NULL, "The one group of the message; None if it has none.", NULL },
	{ "content", get_content, NULL, "All but when and where it was seen, as bytes.", NULL },
	{ 0 },
};

static PyType_Slot captured_slots[] = {
	{ Py_tp_doc, "An event of a ring; see mcastd.fastpath.Captured." },
	{ Py_tp_new, captured_new },
	{ Py_tp_dealloc, captured_dealloc },
	{ Py_tp_members, captured_members },
	{ Py_tp_getset, captured_getters },
	{ 0, NULL },
};

static PyType_Spec captured_spec = {
	.name = "mcastd._native.Captured",
	.basicsize = offsetof(struct captured, frame),
	.itemsize = 1,
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = captured_slots,
};

/* --- Ring ------------------------------------------------------------------------------------- */

static struct reader *as_reader(PyObject *object)
{
	return (struct reader *)object;
}

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = { "fd", "size", NULL };
	Py_ssize_t size;
	PyObject *self;
	int fd;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "in", names, &fd, &size))
		return NULL;
	if (size <= 0 || size & (size - 1))
		return PyErr_Format(PyExc_ValueError, "a ring has a power of two bytes, not %zd",
				    size);
	self = type->tp_alloc(type, 0);
	if (!self)
		return NULL;
	as_reader(self)->ring = mcast_ring_open(fd, (size_t)size);
	if (!as_reader(self)->ring) {
		PyErr_SetFromErrno(PyExc_OSError);
		Py_CLEAR(self);
	}
	return self;
}

static PyObject *reader_close(PyObject *self, PyObject *none)
{
	(void)none;
	mcast_ring_close(as_reader(self)->ring);
	as_reader(self)->ring = NULL;
	Py_RETURN_NONE;
}

static void reader_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);

	mcast_ring_close(as_reader(self)->ring);
	type->tp_free(self);
	Py_DECREF(type);
}

static struct mcast_ring_reader *open_ring(PyObject *self)
{
	if (!as_reader(self)->ring)
		PyErr_SetString(PyExc_ValueError, "the ring is closed");
	return as_reader(self)->ring;
}

/* Appends up to `most` events to the list. 0, or -1 after setting an error. */
static int read_events(struct mcast_ring_reader *ring, PyObject *events, Py_ssize_t most)
{
	size_t length;

	while (PyList_GET_SIZE(events) < most) {
		const uint8_t *record = mcast_ring_read(ring, &length);
		PyObject *event;
		int result;

		if (!record)
			return 0;
		event = captured_from(record, length);
		if (!event && PyErr_Occurred())
			return -1;
		if (!event)
			continue;
		result = PyList_Append(events, event);
		Py_DECREF(event);
		if (result < 0)
			return -1;
	}
	return 0;
}

static PyObject *reader_drain(PyObject *self, PyObject *number)
{
	struct mcast_ring_reader *ring = open_ring(self);
	Py_ssize_t most = PyLong_AsSsize_t(number);
	PyObject *events;

	if (!ring || (most == -1 && PyErr_Occurred()))
		return NULL;
	events = PyList_New(0);
	if (!events)
		return NULL;
	if (read_events(ring, events, most) < 0)
		Py_CLEAR(events);
	mcast_ring_release(ring);
	return events;
}

static PyObject *reader_waiting(PyObject *self, PyObject *none)
{
	struct mcast_ring_reader *ring = open_ring(self);

	(void)none;
	return ring ? PyLong_FromSize_t(mcast_ring_waiting(ring)) : NULL;
}

static PyMethodDef reader_methods[] = {
	{ "drain", reader_drain, METH_O, "drain(most): the oldest events, a list." },
	{ "waiting", reader_waiting, METH_NOARGS, "Bytes not read yet." },
	{ "close", reader_close, METH_NOARGS, "Unmaps it; more than once does nothing." },
	{ 0 },
};

static PyType_Slot reader_slots[] = {
	{ Py_tp_doc, "The reading end of a ring of events; see mcastd.fastpath.Ring." },
	{ Py_tp_new, reader_new },
	{ Py_tp_dealloc, reader_dealloc },
	{ Py_tp_methods, reader_methods },
	{ 0, NULL },
};

static PyType_Spec reader_spec = {
	.name = "mcastd._native.RingReader",
	.basicsize = sizeof(struct reader),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = reader_slots,
};

int mcast_add_ring(PyObject *module)
{
	captured_type = (PyTypeObject *)PyType_FromSpec(&captured_spec);
	reader_type = (PyTypeObject *)PyType_FromSpec(&reader_spec);
	if (!captured_type || !reader_type)
		return -1;
	if (PyModule_AddObjectRef(module, "Captured", (PyObject *)captured_type) < 0)
		return -1;
	return PyModule_AddObjectRef(module, "RingReader", (PyObject *)reader_type);
}
