from samples.common import binary, positive, unary, values

SAMPLES = {
    "add": list(binary()),
    "sub": list(binary()),
    "mul": list(binary()),
    "div": list(binary()),
    "pow": [*binary(positive), *(((values(2, 3), exponent), {}) for exponent in (3, 2.0, 0, -2, 1))],
    "neg": unary(),
}
