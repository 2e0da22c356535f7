/* SPDX-License-Identifier: Apache-2.0 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <structmember.h>
#include <sys/mman.h>

#include "checksum.h"
#include "python_face.h"
#include "python_packing.h"
#include "python_ring.h"
#include "source_list.h"

/* Results of up to this many bytes are made on the stack, and copied. */
enum { SHORT = 4096 };

/* From this many bytes on, other threads may run meanwhile. */
enum { LONG = 1 << 20 };

/* A page of memory of the larger kind. */
enum { HUGE_PAGE = 2 << 20 };

/* A source list that never changes: `packed` is a bytes object, its contents as source_list.h has
 * them; both are fixed when it is made. */
struct packed_list {
	PyObject_HEAD
	PyObject *packed;
	unsigned char width;
};

static PyTypeObject *packed_list_type;

/* The bytes of a list, and how many addresses they are. */
struct view {
	const uint8_t *bytes;
	size_t n;
};

typedef size_t set_operation(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, size_t width,
			     uint8_t *out);

static struct packed_list *as_list(PyObject *object)
{
	return (struct packed_list *)object;
}

static uint8_t *contents(PyObject *bytes)
{
	return (uint8_t *)PyBytes_AS_STRING(bytes);
}

static size_t length_of(PyObject *bytes)
{
	return (size_t)PyBytes_GET_SIZE(bytes);
}

static struct view view_of(const struct packed_list *list)
{
	return (struct view){
		.bytes = contents(list->packed),
		.n = length_of(list->packed) >> (list->width == 4 ? 2 : 4),
	};
}

static PyObject *bytes_from(const uint8_t *bytes, size_t length)
{
	return PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)length);
}

/* Takes the reference to `packed`, which may be NULL after an error. */
static PyObject *new_list(PyTypeObject *type, PyObject *packed, size_t width)
{
	PyObject *self = packed ? type->tp_alloc(type, 0) : NULL;

	if (!self) {
		Py_XDECREF(packed);
		return NULL;
	}
	as_list(self)->packed = packed;
	as_list(self)->width = (unsigned char)width;
	return self;
}

static int check_shape(Py_ssize_t length, Py_ssize_t width)
{
	if (width != 4 && width != 16)
		PyErr_Format(PyExc_ValueError, "an address has 4 or 16 bytes, not %zd", width);
	else if (length % width)
		PyErr_Format(PyExc_ValueError, "%zd bytes are no whole number of addresses of %zd",
			     length, width);
	else
		return 0;
	return -1;
}

static PyObject *list_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = { "packed", "width", NULL };
	PyObject *packed;
	Py_ssize_t width;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Sn", names, &packed, &width) ||
	    check_shape(PyBytes_Size(packed), width) < 0)
		return NULL;
	Py_INCREF(packed);
	return new_list(type, packed, (size_t)width);
}

static void list_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);

	Py_DECREF(as_list(self)->packed);
	type->tp_free(self);
	Py_DECREF(type);
}

static int is_list(PyObject *object)
{
	return PyObject_TypeCheck(object, packed_list_type);
}

/* 1 if both are lists of one width; 0 if not both are lists; -1 after setting an error. One of them
 * is known to be a list. */
static int comparable(PyObject *a, PyObject *b)
{
	if (Py_TYPE(a) != Py_TYPE(b) && (!is_list(a) || !is_list(b)))
		return 0;
	if (as_list(a)->width == as_list(b)->width)
		return 1;
	PyErr_SetString(PyExc_ValueError, "lists of IPv4 and of IPv6 addresses do not mix");
	return -1;
}

/* The result of a binary operation for which comparable() was not 1. */
static PyObject *not_comparable(int why)
{
	if (why < 0)
		return NULL;
	Py_INCREF(Py_NotImplemented);
	return Py_NotImplemented;
}

static size_t run(set_operation *operation, struct view a, struct view b, size_t width,
		  uint8_t *out)
{
	PyThreadState *state = NULL;
	size_t n;

	if ((a.n + b.n) * width >= LONG)
		state = PyEval_SaveThread();
	n = operation(a.bytes, a.n, b.bytes, b.n, width, out);
	if (state)
		PyEval_RestoreThread(state);
	return n;
}

/* One of the operands, if the result is as long as it: then it is the same. */
static PyObject *same_as(PyObject *a, PyObject *b, size_t n, int may_be_b)
{
	PyObject *same = n == view_of(as_list(a)).n             ? a :
			 may_be_b && n == view_of(as_list(b)).n ? b :
								  NULL;

	Py_XINCREF(same);
	return same;
}

/* A new bytes object to be filled. A long one comes in large pages where the kernel has them: it
 * takes longer to get small ones, one by one, than to merge two lists. */
static PyObject *new_bytes(size_t length)
{
	PyObject *bytes = bytes_from(NULL, length);
	uintptr_t start, end;

	if (!bytes || length < 2 * HUGE_PAGE)
		return bytes;
	start = ((uintptr_t)contents(bytes) + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
	end = ((uintptr_t)contents(bytes) + length) & ~(uintptr_t)(HUGE_PAGE - 1);
	/* No more than advice: if it is not taken, all goes on as well. */
	(void)madvise((void *)start, end - start, MADV_HUGEPAGE);
	return bytes;
}

/* A list from an operation on two that needs room for `room` addresses. */
static PyObject *combine(PyObject *a, PyObject *b, set_operation *operation, size_t room,
			 int may_be_b)
{
	struct view va = view_of(as_list(a)), vb = view_of(as_list(b));
	size_t width = as_list(a)->width, n;
	PyObject *packed, *same;
	uint8_t scratch[SHORT + MCAST_LIST_SLACK];

	if (room * width <= SHORT) {
		n = run(operation, va, vb, width, scratch);
		same = same_as(a, b, n, may_be_b);
		return same ? same : new_list(Py_TYPE(a), bytes_from(scratch, n * width), width);
	}
	packed = new_bytes(room * width + MCAST_LIST_SLACK);
	if (!packed)
		return NULL;
	n = run(operation, va, vb, width, contents(packed));
	same = same_as(a, b, n, may_be_b);
	if (same) {
		Py_DECREF(packed);
		return same;
	}
	/* Sets `packed` to NULL if it fails. */
	_PyBytes_Resize(&packed, (Py_ssize_t)(n * width));
	return new_list(Py_TYPE(a), packed, width);
}

static PyObject *another(PyObject *object)
{
	Py_INCREF(object);
	return object;
}

/* A tuple of both. Takes the references, either of which may be NULL after an error. */
static PyObject *pair_of(PyObject *first, PyObject *second)
{
	PyObject *pair = first && second ? PyTuple_Pack(2, first, second) : NULL;

	Py_XDECREF(first);
	Py_XDECREF(second);
	return pair;
}

static PyObject *list_or(PyObject *a, PyObject *b)
{
	int both = comparable(a, b);
	size_t na, nb;

	if (both != 1)
		return not_comparable(both);
	na = view_of(as_list(a)).n;
	nb = view_of(as_list(b)).n;
	if (a == b || nb == 0)
		return another(a);
	if (na == 0)
		return another(b);
	return combine(a, b, mcast_list_union, na + nb, 1);
}

static PyObject *list_and(PyObject *a, PyObject *b)
{
	int both = comparable(a, b);
	size_t na, nb;

	if (both != 1)
		return not_comparable(both);
	na = view_of(as_list(a)).n;
	nb = view_of(as_list(b)).n;
	if (a == b || na == 0)
		return another(a);
	if (nb == 0)
		return another(b);
	return combine(a, b, mcast_list_intersection, na < nb ? na : nb, 1);
}

static PyObject *list_subtract(PyObject *a, PyObject *b)
{
	int both = comparable(a, b);
	size_t na;

	if (both != 1)
		return not_comparable(both);
	na = view_of(as_list(a)).n;
	if (na == 0 || view_of(as_list(b)).n == 0)
		return another(a);
	if (a == b)
		return new_list(Py_TYPE(a), bytes_from(NULL, 0), as_list(a)->width);
	return combine(a, b, mcast_list_difference, na, 0);
}

static int list_bool(PyObject *self)
{
	return PyBytes_GET_SIZE(as_list(self)->packed) > 0;
}

static Py_ssize_t list_length(PyObject *self)
{
	return (Py_ssize_t)view_of(as_list(self)).n;
}

static int list_contains(PyObject *self, PyObject *address)
{
	struct view view = view_of(as_list(self));

	if (!PyBytes_Check(address)) {
		PyErr_SetString(PyExc_TypeError, "an address is bytes");
		return -1;
	}
	if (PyBytes_Size(address) != as_list(self)->width)
		return 0;
	return mcast_list_contains(view.bytes, view.n, contents(address), as_list(self)->width);
}

static int is_subset(PyObject *a, PyObject *b)
{
	struct view va = view_of(as_list(a)), vb = view_of(as_list(b));

	return a == b || mcast_list_is_subset(va.bytes, va.n, vb.bytes, vb.n, as_list(a)->width);
}

static int is_equal(PyObject *a, PyObject *b)
{
	return as_list(a)->width == as_list(b)->width &&
	       PyObject_RichCompareBool(as_list(a)->packed, as_list(b)->packed, Py_EQ) == 1;
}

static PyObject *list_compare(PyObject *a, PyObject *b, int op)
{
	int both;

	if (op == Py_EQ || op == Py_NE) {
		if (!is_list(b))
			return not_comparable(0);
		return PyBool_FromLong(is_equal(a, b) == (op == Py_EQ));
	}
	both = comparable(a, b);
	if (both != 1)
		return not_comparable(both);
	switch (op) {
	case Py_LE:
		return PyBool_FromLong(is_subset(a, b));
	case Py_GE:
		return PyBool_FromLong(is_subset(b, a));
	case Py_LT:
		return PyBool_FromLong(!is_equal(a, b) && is_subset(a, b));
	default:
		return PyBool_FromLong(!is_equal(a, b) && is_subset(b, a));
	}
}

static Py_hash_t list_hash(PyObject *self)
{
	return PyObject_Hash(as_list(self)->packed);
}

/* Sorts the new bytes object `packed` in place. Takes the reference to it and returns one to what
 * is left, or NULL. */
static PyObject *normalised(PyObject *packed, size_t width)
{
	size_t length = length_of(packed), n;
	uint8_t scratch[SHORT], *spare = length <= SHORT ? scratch : PyMem_Malloc(length);
	PyThreadState *state = NULL;

	if (!spare) {
		Py_DECREF(packed);
		return PyErr_NoMemory();
	}
	if (length >= LONG)
		state = PyEval_SaveThread();
	n = mcast_list_normalise(contents(packed), length / width, width, spare);
	if (state)
		PyEval_RestoreThread(state);
	if (spare != scratch)
		PyMem_Free(spare);
	if (n * width < length)
		_PyBytes_Resize(&packed, (Py_ssize_t)(n * width));
	return packed;
}

/* A list from addresses in any order; a bytes object which is one already is not copied. */
static PyObject *packed_from_wire(PyObject *object, const Py_buffer *buffer, size_t width)
{
	size_t n = (size_t)buffer->len / width;
	PyObject *packed;

	if (PyBytes_Check(object) && mcast_list_ascending(buffer->buf, n, width) == n)
		return another(object);
	packed = bytes_from(buffer->buf, (size_t)buffer->len);
	return packed ? normalised(packed, width) : NULL;
}

static PyObject *list_from_wire(PyObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = { "addresses", "width", NULL };
	PyObject *addresses, *packed;
	Py_ssize_t width;
	Py_buffer buffer;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "On", names, &addresses, &width) ||
	    PyObject_GetBuffer(addresses, &buffer, PyBUF_SIMPLE) < 0)
		return NULL;
	packed = check_shape(buffer.len, width) < 0 ?
			 NULL :
			 packed_from_wire(addresses, &buffer, (size_t)width);
	PyBuffer_Release(&buffer);
	return new_list((PyTypeObject *)type, packed, (size_t)width);
}

/* Both differences, with room for them; `n_a` and `n_b` receive their lengths. */
static void run_pair(PyObject *a, PyObject *b, uint8_t *only_a, size_t *n_a, uint8_t *only_b,
		     size_t *n_b)
{
	struct view va = view_of(as_list(a)), vb = view_of(as_list(b));
	size_t width = as_list(a)->width;
	PyThreadState *state = NULL;

	if ((va.n + vb.n) * width >= LONG)
		state = PyEval_SaveThread();
	*n_a = mcast_list_difference_pair(va.bytes, va.n, vb.bytes, vb.n, width, only_a, only_b,
					  n_b);
	if (state)
		PyEval_RestoreThread(state);
}

/* What is left of a list: itself, if that is all. Takes the reference to `packed`. */
static PyObject *remainder_of(PyObject *list, PyObject *packed)
{
	if (packed && PyBytes_GET_SIZE(packed) == PyBytes_GET_SIZE(as_list(list)->packed)) {
		Py_DECREF(packed);
		return another(list);
	}
	return new_list(Py_TYPE(list), packed, as_list(list)->width);
}

static PyObject *short_pair(PyObject *a, PyObject *b)
{
	uint8_t only_a[SHORT], only_b[SHORT];
	size_t width = as_list(a)->width, n_a, n_b;

	run_pair(a, b, only_a, &n_a, only_b, &n_b);
	return pair_of(remainder_of(a, bytes_from(only_a, n_a * width)),
		       remainder_of(b, bytes_from(only_b, n_b * width)));
}

static PyObject *long_pair(PyObject *a, PyObject *b)
{
	PyObject *only_a = new_bytes(length_of(as_list(a)->packed));
	PyObject *only_b = only_a ? new_bytes(length_of(as_list(b)->packed)) : NULL;
	size_t width = as_list(a)->width, n_a, n_b;

	if (!only_b) {
		Py_XDECREF(only_a);
		return NULL;
	}
	run_pair(a, b, contents(only_a), &n_a, contents(only_b), &n_b);
	/* Sets the pointer to NULL if it fails. */
	_PyBytes_Resize(&only_a, (Py_ssize_t)(n_a * width));
	_PyBytes_Resize(&only_b, (Py_ssize_t)(n_b * width));
	return pair_of(remainder_of(a, only_a), remainder_of(b, only_b));
}

static PyObject *difference_pair(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	int both = n == 2 && is_list(args[0]) ? comparable(args[0], args[1]) : 0;

	(void)module;
	if (both == 0)
		PyErr_SetString(PyExc_TypeError, "difference_pair() takes two lists");
	if (both != 1)
		return NULL;
	if (length_of(as_list(args[0])->packed) <= SHORT &&
	    length_of(as_list(args[1])->packed) <= SHORT)
		return short_pair(args[0], args[1]);
	return long_pair(args[0], args[1]);
}

/* A number of at most 32 bits. Returns -1 after setting an error. */
static int number_from(PyObject *object, uint32_t *number)
{
	unsigned long value = PyLong_AsUnsignedLong(object);

	if (value == (unsigned long)-1 && PyErr_Occurred())
		return -1;
	if (value > 0xffffffff) {
		PyErr_SetString(PyExc_OverflowError, "a sum has at most 32 bits");
		return -1;
	}
	*number = (uint32_t)value;
	return 0;
}

static PyObject *checksum(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	uint32_t initial = 0, sum;
	Py_buffer buffer;

	(void)module;
	if (n < 1 || n > 2)
		return PyErr_Format(PyExc_TypeError,
				    "checksum() takes the data and a sum to start from");
	if (n == 2 && number_from(args[1], &initial) < 0)
		return NULL;
	if (PyBytes_Check(args[0])) {
		sum = mcast_checksum_sum(contents(args[0]), length_of(args[0]), initial);
	} else {
		if (PyObject_GetBuffer(args[0], &buffer, PyBUF_SIMPLE) < 0)
			return NULL;
		sum = mcast_checksum_sum(buffer.buf, (size_t)buffer.len, initial);
		PyBuffer_Release(&buffer);
	}
	return PyLong_FromLong((long)(sum ^ 0xffff));
}

static PyObject *icmpv6_checksum(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	Py_buffer message;
	uint32_t result;

	(void)module;
	if (n != 3 || !PyBytes_Check(args[0]) || !PyBytes_Check(args[1]) ||
	    PyBytes_Size(args[0]) != 16 || PyBytes_Size(args[1]) != 16)
		return PyErr_Format(PyExc_TypeError,
				    "icmpv6_checksum() takes two addresses of 16 bytes "
				    "and a message");
	if (PyObject_GetBuffer(args[2], &message, PyBUF_SIMPLE) < 0)
		return NULL;
	result = mcast_checksum_icmpv6(contents(args[0]), contents(args[1]), message.buf,
				       (size_t)message.len);
	PyBuffer_Release(&message);
	return PyLong_FromLong((long)result);
}

static PyObject *checksum_update(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	uint32_t old, removed, added;

	(void)module;
	if (n != 3)
		return PyErr_Format(PyExc_TypeError,
				    "checksum_update() takes the old checksum and two sums");
	if (number_from(args[0], &old) < 0 || number_from(args[1], &removed) < 0 ||
	    number_from(args[2], &added) < 0)
		return NULL;
	return PyLong_FromLong((long)mcast_checksum_update(old, removed, added));
}

#define FUNCTION(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef list_methods[] = {
	{ "from_wire", FUNCTION(list_from_wire), METH_CLASS | METH_VARARGS | METH_KEYWORDS,
	  "from_wire(addresses, width): sorts, and drops repeated addresses." },
	{ 0 },
};

static PyMemberDef list_members[] = {
	{ "packed", T_OBJECT_EX, offsetof(struct packed_list, packed), READONLY,
	  "The addresses, one after the other, strictly ascending." },
	{ "width", T_UBYTE, offsetof(struct packed_list, width), READONLY,
	  "Bytes of an address: 4 or 16." },
	{ 0 },
};

static PyType_Slot list_slots[] = {
	{ Py_tp_doc, "A set of addresses that never changes; see mcastd.native.SourceList." },
	{ Py_tp_new, list_new },
	{ Py_tp_dealloc, list_dealloc },
	{ Py_tp_methods, list_methods },
	{ Py_tp_members, list_members },
	{ Py_tp_richcompare, list_compare },
	{ Py_tp_hash, list_hash },
	{ Py_nb_or, list_or },
	{ Py_nb_and, list_and },
	{ Py_nb_subtract, list_subtract },
	{ Py_nb_bool, list_bool },
	{ Py_sq_length, list_length },
	{ Py_sq_contains, list_contains },
	{ 0, NULL },
};

static PyType_Spec list_spec = {
	.name = "mcastd._native.PackedList",
	.basicsize = sizeof(struct packed_list),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = list_slots,
};

static PyMethodDef functions[] = {
	{ "difference_pair", FUNCTION(difference_pair), METH_FASTCALL,
	  "difference_pair(a, b): what only `a` has and what only `b` has." },
	{ "checksum", FUNCTION(checksum), METH_FASTCALL,
	  "checksum(data, initial=0): the Internet checksum of `data` (RFC 1071)." },
	{ "icmpv6_checksum", FUNCTION(icmpv6_checksum), METH_FASTCALL,
	  "icmpv6_checksum(source, destination, message): with the pseudo-header (RFC 8200 8.1)." },
	{ "checksum_update", FUNCTION(checksum_update), METH_FASTCALL,
	  "checksum_update(old, removed, added): the new checksum (RFC 1624)." },
	{ 0 },
};

static int add_face(void)
{
	PyObject *module = PyImport_AddModule("mcastd._native");

	if (packed_list_type)
		return 0;
	if (!module || PyModule_AddFunctions(module, functions) < 0)
		return -1;
	packed_list_type = (PyTypeObject *)PyType_FromSpec(&list_spec);
	if (!packed_list_type)
		return -1;
	if (PyModule_AddObjectRef(module, "PackedList", (PyObject *)packed_list_type) < 0)
		return -1;
	if (mcast_add_record_table(module) < 0)
		return -1;
	return mcast_add_ring(module);
}

int mcast_add_python_face(void)
{
	PyGILState_STATE state = PyGILState_Ensure();
	int result = add_face();

	if (result < 0)
		PyErr_Print();
	PyGILState_Release(state);
	return result;
}
