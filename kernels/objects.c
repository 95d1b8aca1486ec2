/* What a step sees of Python's objects: everything that somebody may have changed since the last step. Python gives no
 * notice when an array is replaced, frozen or moved, and to ask in Python costs 50 ns a question. */
#include "objects.h"

#include <stddef.h>

/* NumPy's array object, as its macros PyArray_DATA, PyArray_DIMS, PyArray_DESCR and PyArray_FLAGS read it: part of the
 * ABI of NumPy 2. */
typedef struct {
    PyObject head;
    char *data;
    int nd;
    intptr_t *dimensions, *strides;
    PyObject *base, *descr;
    int flags;
} numpy_array;
enum { CONTIGUOUS = 0x0001, WRITEABLE = 0x0400 };

/* DLPack 1: DLTensor. */
typedef struct {
    char *data;
    int32_t device, device_id, ndim;
    uint8_t code, bits;
    uint16_t lanes;
    const int64_t *shape, *strides;
    uint64_t byte_offset;
} dl_tensor;

enum { AHEAD = 8 }; /* objects lie anywhere in memory: fetched when so many others are still to be looked at */
static PyObject *name_data, *name_grad;
static PyTypeObject *array_kind;

/* What an object has in a slot, or by an attribute: a new reference; NULL with an error. */
static PyObject *part_of(void *object, int64_t at, PyObject *name) {
    if (at < 0) return PyObject_GetAttr((PyObject *)object, name);
    PyObject *found = *(PyObject **)((char *)object + at);
    if (!found) found = Py_None;
    Py_INCREF(found);
    return found;
}

/* Where a tensor's elements lie; NULL if they are not those of an entry, side by side. */
static const char *place_of(const ts_call *call, const ts_entry *entry, void *tensor) {
    enum { CPU = 1, FLOAT = 2 };
    int64_t n = 1;
    dl_tensor found;
    if (call->exchange(tensor, &found)) return NULL;
    if (found.device != CPU || found.code != FLOAT || found.bits != (entry->is_double ? 64 : 32) || found.lanes != 1)
        return NULL;
    for (int32_t i = found.ndim; i-- > 0;) {
        if (found.strides && found.shape[i] != 1 && found.strides[i] != n) return NULL;
        n *= found.shape[i];
    }
    return n == entry->n ? found.data + found.byte_offset : NULL;
}

/* Whether an object is an array like the values of an entry, side by side. */
static int is_like(PyObject *object, const ts_entry *entry) {
    if (!PyObject_TypeCheck(object, array_kind)) return 0;
    const numpy_array *array = (const numpy_array *)object;
    if (!(array->flags & CONTIGUOUS) || (void *)array->descr != entry->descr || array->nd != entry->nd) return 0;
    for (int i = 0; i < array->nd; i++)
        if (array->dimensions[i] != entry->shape[i]) return 0;
    return 1;
}

static int is_at(PyObject *object, const void *place) {
    const numpy_array *array = (const numpy_array *)object;
    return array->data == place && (array->flags & WRITEABLE);
}

/* What an object has in a slot, borrowed: for comparing alone. */
static PyObject *in_slot(const void *object, int64_t at) { return *(PyObject *const *)((const char *)object + at); }

/* Whether the values are where they were: 1, 0, or -1 with an error. The table, or who lends them, holds the array. */
static int has_its_values(const ts_call *call, const ts_entry *entry) {
    if (!entry->array) return place_of(call, entry, entry->object) == entry->p;
    if (entry->data_at >= 0 && !entry->is_lent) return in_slot(entry->object, entry->data_at) == entry->array;
    PyObject *found = part_of(entry->object, entry->data_at, name_data);
    if (!found) return -1;
    const int is_its = entry->is_lent
                           ? entry->slot >= 0 && is_like(found, entry) && is_at(found, entry->p)
                           : found == entry->array;
    Py_DECREF(found);
    return is_its;
}

/* Whether bytes of n elements may be some that are written to. */
static int may_overlap(const ts_call *call, const char *begin, const ts_entry *entry) {
    const char *end = begin + entry->n * (entry->is_double ? 8 : 4);
    int64_t low = 0, high = call->n_ranges; /* how many ranges begin before the end */
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (call->ranges[middle].low < end)
            low = middle + 1;
        else
            high = middle;
    }
    return entry->n && low && call->ranges[low - 1].most > begin;
}

/* Where the elements of a gradient lie that fits the values; NULL if it needs another look. */
static const char *elements_of(const ts_call *call, const ts_entry *entry, PyObject *gradient) {
    if (!entry->array) return place_of(call, entry, gradient);
    return is_like(gradient, entry) ? ((const numpy_array *)gradient)->data : NULL;
}

/* The gradient of the moment, an array or a tensor or None: a new reference; NULL with an error. */
static PyObject *gradient_of(const ts_entry *entry) {
    PyObject *owner = part_of(entry->object, entry->grad_at, name_grad);
    if (!owner || owner == Py_None || !entry->array || entry->slot < 0) return owner; /* Python looks at the rest */
    const int is_known = (void *)Py_TYPE(owner) == entry->owner_kind && entry->owner_at >= 0;
    if (!is_known && PyObject_TypeCheck(owner, array_kind)) return owner;
    PyObject *array = part_of(owner, is_known ? entry->owner_at : -1, name_data);
    Py_DECREF(owner);
    return array;
}

/* Follows one parameter; *has_changed says whether it has begun or ended to take part. */
static int follow(ts_call *call, ts_entry *entry, int *has_changed) {
    entry->is_active = 0;
    if (!entry->is_wanted && !entry->is_grouped) return TS_DONE;
    PyObject *gradient = gradient_of(entry);
    if (!gradient) return -1;
    const int is_active = gradient != Py_None && entry->is_wanted;
    entry->held = gradient;
    if (entry->slot == TS_NO_ROW) return is_active || (call->is_exact && entry->is_wanted) ? TS_OTHER : TS_DONE;
    if (is_active != entry->is_grouped) *has_changed = 1;
    entry->is_active = is_active;
    if (!is_active) return call->is_exact && entry->is_wanted ? TS_OTHER : TS_DONE;
    if (!entry->array && entry->slot < 0) return TS_DONE; /* a tensor that Python follows */
    const int has_values = has_its_values(call, entry);
    if (has_values <= 0) return has_values < 0 ? -1 : TS_OTHER;
    if (entry->slot < 0) return TS_DONE;
    const char *g = elements_of(call, entry, gradient);
    if (!g || (g != entry->g && may_overlap(call, g, entry))) return TS_OTHER;
    if (g == entry->g) return TS_DONE;
    entry->g = call->to_point[entry->slot].g = g;
    return TS_DONE;
}

/* Whether what was checked is as it was; -1 with an error. */
int ts_look(ts_call *call) {
    int has_changed = 0;
    for (int64_t i = 0; i < call->n_entries; i++) {
        if (i + AHEAD < call->n_entries) __builtin_prefetch(call->entries[i + AHEAD].object);
        const int result = follow(call, &call->entries[i], &has_changed);
        if (PyErr_Occurred()) {
            if (!PyErr_ExceptionMatches(PyExc_BufferError) && !PyErr_ExceptionMatches(PyExc_RuntimeError)) return -1;
            PyErr_Clear(); /* a layout that has no one address: Python says which */
            return TS_OTHER;
        }
        if (result != TS_DONE) return result;
    }
    for (int64_t i = 0; i < call->n_arrays; i++) {
        if (i + AHEAD < call->n_arrays) __builtin_prefetch(call->arrays[i + AHEAD].object);
        if (!is_at((PyObject *)call->arrays[i].object, call->arrays[i].data)) return TS_MOVED;
    }
    return has_changed ? TS_REGROUP : TS_DONE;
}

/* Lets go of what was held; with a stamp, tells the parameters of a step that they were changed in place: 0, or -1. */
int ts_let_go(ts_call *call, PyObject *stamp) {
    int result = 0;
    for (int64_t i = 0; i < call->n_entries; i++) {
        ts_entry *entry = &call->entries[i];
        if (i + AHEAD < call->n_entries) __builtin_prefetch(call->entries[i + AHEAD].held);
        if (stamp && entry->version && entry->is_active && entry->slot >= 0) {
            Py_INCREF(stamp);
            result |= PyList_SetItem((PyObject *)entry->version, 0, stamp);
        }
        PyObject *held = (PyObject *)entry->held;
        entry->held = NULL;
        Py_XDECREF(held);
    }
    return result;
}

/* Finds what is asked for above; -1 with an error. */
int ts_look_begin(void) {
    PyObject *numpy = PyImport_ImportModule("numpy");
    if (!numpy) return -1;
    array_kind = (PyTypeObject *)PyObject_GetAttrString(numpy, "ndarray");
    Py_DECREF(numpy);
    name_data = PyUnicode_InternFromString("data");
    name_grad = PyUnicode_InternFromString("grad");
    return array_kind && name_data && name_grad ? 0 : -1;
}
