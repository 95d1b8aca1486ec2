/* Python's side of a step: objects.c looks at its objects, python.c is the function that steps. */
#ifndef TRAINSTATION_OBJECTS_H
#define TRAINSTATION_OBJECTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels.h"

int ts_look_begin(void);
int ts_look(ts_call *call);
int ts_let_go(ts_call *call, PyObject *stamp);

#endif
