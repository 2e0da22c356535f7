/* SPDX-License-Identifier: Apache-2.0 */
/* The part of python_face.h that reads rings: the types `RingReader` and `Captured`. */
#ifndef MCAST_PYTHON_RING_H
#define MCAST_PYTHON_RING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Adds both types to the module. 0, or -1 after setting an error. */
int mcast_add_ring(PyObject *module);

#endif
