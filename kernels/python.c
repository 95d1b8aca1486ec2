/* The function of Python that steps. It is called with the GIL, looks at what the step takes part in, holds the gradients,
 * and lets go of the GIL for the arithmetic alone. What belongs to the step is done before any other line of Python runs,
 * so that an interrupt finds a step whole or not begun. */
#include "objects.h"

/* Calls all of these, whatever one of them raises; at last there is the first error. */
static void do_all(PyObject *actions) {
    PyObject *kind = NULL, *value = NULL, *trace = NULL;
    for (Py_ssize_t i = 0; i < PyTuple_Size(actions); i++) {
        PyObject *result = PyObject_CallNoArgs(PyTuple_GetItem(actions, i));
        Py_XDECREF(result);
        if (result) continue;
        if (kind)
            PyErr_Clear();
        else
            PyErr_Fetch(&kind, &value, &trace);
    }
    if (kind) PyErr_Restore(kind, value, trace);
}

/* Threads that are waiting for the GIL have it while many elements are stepped; for few it is not worth the wait. */
static int step_without_gil(ts_call *call, int isa, int threads) {
    enum { FEW = 1 << 14 };
    const ts_slot *last = call->n_slots ? &call->slots[call->n_slots - 1] : NULL;
    if (!last || last->first + last->n < FEW) return ts_step(call, isa, threads);
    PyThreadState *state = PyEval_SaveThread();
    const int result = ts_step(call, isa, threads);
    PyEval_RestoreThread(state);
    return result;
}

/* step(address of a ts_call, isa, threads, stamp of versions, actions that belong to the step): a ts_result. */
static PyObject *step(PyObject *Py_UNUSED(self), PyObject *const *args, Py_ssize_t n) {
    if (n != 5) return PyErr_Format(PyExc_TypeError, "step takes 5 arguments, not %zd", n);
    ts_call *call = (ts_call *)PyLong_AsVoidPtr(args[0]);
    const int isa = (int)PyLong_AsLong(args[1]), threads = (int)PyLong_AsLong(args[2]);
    if (PyErr_Occurred()) return NULL;
    int result = ts_look(call), is_made = 0;
    if (result == TS_DONE && !(call->check & TS_LOOK)) {
        result = step_without_gil(call, isa, threads);
        is_made = result == TS_DONE && !(call->check & TS_MEASURE);
    }
    if (is_made) do_all(args[4]);
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    const int told = ts_let_go(call, is_made ? args[3] : NULL);
    if (kind) PyErr_Restore(kind, value, trace);
    return kind || told ? NULL : PyLong_FromLong(result);
}

/* Called with the GIL; NULL with an error. */
void *ts_step_function(void) {
    static PyMethodDef method = {"step", (PyCFunction)(void (*)(void))step, METH_FASTCALL, NULL};
    return ts_look_begin() ? NULL : PyCFunction_New(&method, NULL);
}
