/* Gradients of another library's tensors, which is asked by its C exchange interface of DLPack: in Python each question
 * costs 50 ns and more. What concerns Python's objects is handed over as functions, so that no header of Python is
 * needed. The caller holds the GIL. */
#include "kernels.h"

#include <stddef.h>

/* DLPack 1: DLTensor. */
typedef struct {
    char *data;
    int32_t device, device_id, ndim;
    uint8_t code, bits;
    uint16_t lanes;
    const int64_t *shape, *strides;
    uint64_t byte_offset;
} dl_tensor;

/* Where a tensor's elements lie; NULL if they are not those of a slot, side by side, or if Python has an error. */
static const char *place_of(const ts_tensors *of, void *tensor, const ts_slot *slot) {
    enum { CPU = 1, FLOAT = 2 };
    const int bits = slot->format == TS_FLOAT64 ? 64 : 32;
    int64_t n = 1;
    dl_tensor found;
    if (of->exchange(tensor, &found)) return NULL;
    if (found.device != CPU || found.code != FLOAT || found.bits != bits || found.lanes != 1) return NULL;
    for (int32_t i = found.ndim; i-- > 0;) {
        if (found.strides && found.shape[i] != 1 && found.strides[i] != n) return NULL;
        n *= found.shape[i];
    }
    return n == slot->n ? found.data + found.byte_offset : NULL;
}

void ts_tensors_let_go(ts_tensors *of) {
    for (int64_t i = 0; i < of->n; i++) {
        void *gradient = of->gradients[i];
        of->gradients[i] = NULL;
        if (gradient) of->release(gradient);
    }
}

/* Points each tensor's slot to its gradient, and holds that until it is let go. TS_OTHER: some tensor has none, or
 * tensor or gradient is not what the slot is for; Python may have an error then. */
int ts_tensors_take(ts_tensors *of) {
    ts_tensors_let_go(of);
    for (int64_t i = 0; i < of->n; i++) {
        ts_slot *slot = &of->slots[of->at[i]];
        void *gradient = of->gradients[i] = of->get(of->tensors[i], of->name);
        if (!gradient || gradient == of->none || place_of(of, of->tensors[i], slot) != slot->p) return TS_OTHER;
        slot->g = place_of(of, gradient, slot);
        if (!slot->g) return TS_OTHER;
    }
    return TS_DONE;
}
