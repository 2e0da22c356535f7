/* SPDX-License-Identifier: Apache-2.0 */
/* The part of python_face.h that keeps group records, and packs them. */
#ifndef MCAST_PYTHON_PACKING_H
#define MCAST_PYTHON_PACKING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Adds RecordTable to the module. 0, or -1 after setting an error. */
int mcast_add_record_table(PyObject *module);

#endif
