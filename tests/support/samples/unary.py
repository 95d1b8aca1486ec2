import numpy as np

from samples.common import positive, unary, values

# 0.15 to 0.45 of either sign: away from whole numbers and halves, where floor, ceil and round jump.
BETWEEN = [((np.asarray(0.3 * values(*shape)),), {}) for shape in [(2, 3), (), (0, 2)]]

SAMPLES = {
    **{name: unary() for name in ["exp", "expm1", "square", "sin", "cos", "reciprocal", "abs", "sign"]},
    **{name: unary(positive) for name in ["log", "log1p", "sqrt", "rsqrt"]},
    **dict.fromkeys(["floor", "ceil", "round"], BETWEEN),
}
