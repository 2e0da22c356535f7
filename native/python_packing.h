/* SPDX-License-Identifier: Apache-2.0 */
/* The part of python_face.h that packs group records. */
#ifndef MCAST_PYTHON_PACKING_H
#define MCAST_PYTHON_PACKING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* mcastd._native.pack_records; mcastd.native says what it does. */
PyObject *mcast_pack_records(PyObject *module, PyObject *args);

#endif
