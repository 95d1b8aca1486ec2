/* All functions of maps.h, in the order of the enumeration. */
#define TS_MAP_LIST(X)                                                                                       \
    X(relu) X(relu_grad) X(leaky_relu) X(leaky_relu_grad) X(tanh_grad) X(sigmoid) X(sigmoid_grad) X(silu)    \
    X(silu_grad) X(softplus) X(softplus_grad) X(erf_of) X(erf_grad) X(gelu) X(gelu_grad) X(gelu_tanh)        \
    X(gelu_tanh_grad) X(lerp)
