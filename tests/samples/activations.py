from samples.common import unary

SAMPLES = {
    "relu": unary(),
    "tanh": unary(),
    "sigmoid": unary(),
}
