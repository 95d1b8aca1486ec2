"""What hypothesis draws for each operation of the table: operation -> strategy of (inputs, options)."""

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from samples import indexing
from samples.common import distinct, positive, values

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
wide_shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=4)
full_shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4)
matrices = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5)
sizes = st.integers(1, 4)


def between(*shape, seed=0):
    """0.15 to 0.45 of either sign: away from whole numbers and halves."""
    return np.asarray(0.3 * values(*shape, seed=seed))


def unary(make=values, **options):
    """Inputs of any shape; options drawn from strategies."""
    return st.builds(lambda shape, **drawn: ((make(*shape),), drawn), shapes, **options)


def broadcast(count, make=values):
    """Inputs whose shapes broadcast."""
    drawn = hnp.mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_side=3, max_dims=3)
    return drawn.map(lambda d: (tuple(make(*shape, seed=i) for i, shape in enumerate(d.input_shapes)), {}))


@st.composite
def chosen(draw):
    """A mask and two inputs, whose shapes broadcast."""
    (condition, x, y), _ = draw(broadcast(3))
    return (np.asarray(condition > 0), x, y), {}


@st.composite
def masked(draw):
    """An input and a mask that broadcasts to it."""
    shape = draw(shapes)
    mask = [draw(st.sampled_from([1, n])) for n in shape][draw(st.integers(0, len(shape))) :]
    return (values(*shape), np.asarray(values(*mask, seed=1) > 0), 2.5), {}


def one_dim(shape):
    """One of the dimensions of a shape, also counted from the end; a 0-d tensor has 0 and -1."""
    return st.integers(-max(len(shape), 1), max(len(shape), 1) - 1)


def some_dims(shape):
    """None, one or several dimensions."""
    return st.none() | one_dim(shape) | (hnp.valid_tuple_axes(len(shape)) if shape else st.just(()))


@st.composite
def reduction(draw, make=values, of=full_shapes, **options):
    """An input, its dims and keepdim."""
    shape = draw(of)
    drawn = {name: draw(strategy) for name, strategy in options.items()}
    return (make(*shape),), {"dim": draw(some_dims(shape)), "keepdim": draw(st.booleans()), **drawn}


@st.composite
def along(draw, make=values, of=shapes):
    """An input and one of its dimensions."""
    shape = draw(of)
    return (make(*shape),), {"dim": draw(one_dim(shape))}


@st.composite
def reshaped(draw):
    shape = draw(shapes)
    return (values(*shape),), {"shape": tuple(draw(st.permutations(shape)))}


@st.composite
def permuted(draw):
    shape = draw(shapes)
    dims = draw(st.permutations(range(len(shape))))
    return (values(*shape),), {"dims": tuple(dim - len(shape) * draw(st.integers(0, 1)) for dim in dims)}


@st.composite
def expanded(draw):
    shape = draw(shapes)
    to = draw(st.lists(st.integers(0, 3), max_size=2)) + [3 if n == 1 else n for n in shape]
    return (values(*shape),), {"shape": tuple(to)}


@st.composite
def repeated(draw):
    shape = draw(shapes)
    repeats = draw(st.lists(st.integers(0, 3), min_size=len(shape), max_size=len(shape) + 1))
    return (values(*shape),), {"repeats": tuple(repeats)}


@st.composite
def joined(draw, *, along_dim):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
    dim = draw(st.integers(0, len(shape) - along_dim))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    arrays = [values(*shape[:dim], n, *shape[dim + 1 :], seed=i) for i, n in enumerate(lengths)]
    return tuple(arrays) if along_dim else tuple(values(*shape, seed=i) for i in range(len(lengths))), {"dim": dim}


@st.composite
def contracted(draw):
    lengths = {letter: draw(st.integers(1, 3)) for letter in "abcd"}
    terms = draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3))
    known = sorted(set("".join(terms)))
    result = "".join(draw(st.permutations(known)))[: draw(st.integers(0, 4))]
    arrays = tuple(values(*(lengths[letter] for letter in term), seed=i) for i, term in enumerate(terms))
    return arrays, {"equation": ",".join(terms) + "->" + result}


@st.composite
def picked(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3))
    dim = draw(one_dim(shape))
    axis = dim % len(shape)
    places = draw(hnp.arrays(np.intp, (*shape[:axis], 1, *shape[axis + 1 :]), elements=st.integers(0, shape[axis] - 1)))
    return (values(*shape),), {"index": places, "dim": dim, "keepdim": draw(st.booleans())}


@st.composite
def flipped(draw):
    shape = draw(shapes)
    return (values(*shape),), {"dims": tuple(draw(st.permutations(range(len(shape))))[: draw(st.integers(0, 3))])}


@st.composite
def indexed(draw):
    if draw(st.booleans()):
        shape = draw(shapes)
        return (values(*shape),), {"index": draw(hnp.basic_indices(shape, allow_newaxis=True))}
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))
    of = hnp.array_shapes(min_dims=0, max_dims=2)
    return (values(*shape),), {"index": draw(hnp.integer_array_indices(shape, result_shape=of))}


def products():
    drawn = hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, min_side=0, max_side=3, max_dims=2)
    return drawn.map(lambda d: (tuple(values(*shape, seed=i) for i, shape in enumerate(d.input_shapes)), {}))


@st.composite
def linear(draw, *, biased=None):
    outer, length, width = draw(shapes), draw(sizes), draw(st.integers(0, 20))
    has_bias = draw(st.booleans()) if biased is None else biased
    return (values(*outer, length), values(width, length, seed=1), values(width, seed=2) if has_bias else None), {}


@st.composite
def classes(draw):
    rows, columns = draw(matrices)
    targets = draw(hnp.arrays(np.int64, rows, elements=st.integers(0, columns - 1)))
    targets[draw(st.integers(0, rows)) :] = draw(st.sampled_from([-100, 0]))
    options = {
        "label_smoothing": draw(st.sampled_from([0.0, 0.3])),
        "reduction": draw(st.sampled_from(["sum", "none"])),
    }
    return (values(rows, columns), targets), options


@st.composite
def normed(draw, *, parameters):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=20))
    dims = draw(st.integers(1, len(shape)))
    rest = [values(*shape[len(shape) - dims :], seed=i) if draw(st.booleans()) else None for i in range(parameters)]
    return (values(*shape), *rest), {"dims": dims, "eps": draw(st.sampled_from([1e-5, 0.1]))}


@st.composite
def batch_normed(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=2, max_side=4))
    rest = [values(shape[1], seed=i) if draw(st.booleans()) else None for i in range(2)]
    return (values(*shape), *rest), {"eps": 1e-3}


@st.composite
def attended(draw):
    outer, (length, count, size, width) = draw(hnp.array_shapes(min_dims=0, max_dims=2)), draw(st.tuples(*[sizes] * 4))
    q, k, v = (values(*outer, *two, seed=i) for i, two in enumerate([(length, size), (count, size), (count, width)]))
    kind = draw(st.sampled_from(["none", "causal", "added", "masked"]))
    mask = {"added": values(length, count, seed=3), "masked": np.tri(length, count, 1, dtype=bool)}.get(kind)
    return (q, k, v, mask), {"is_causal": kind == "causal", "scale": draw(st.sampled_from([None, 0.3]))}


@st.composite
def self_attended(draw):
    n, length, heads, size = draw(st.tuples(st.integers(0, 3), st.integers(1, 20), sizes, sizes))
    return (values(n, length, 3 * heads * size),), {"num_heads": heads, "is_causal": draw(st.booleans())}


@st.composite
def convolved(draw):
    n, groups, channels, out = draw(st.tuples(*[st.integers(1, 2)] * 4))
    dims = draw(st.integers(1, 2))
    kernel = draw(st.tuples(*[st.integers(1, 3)] * dims))
    room = draw(st.tuples(*[st.integers(5, 7)] * dims))
    options = {
        name: draw(st.tuples(*[st.integers(low, 2)] * dims))
        for name, low in [("stride", 1), ("padding", 0), ("dilation", 1)]
    }
    bias = values(groups * out, seed=2) if draw(st.booleans()) else None
    x, weight = values(n, groups * channels, *room), values(groups * out, channels, *kernel, seed=1)
    return (x, weight, bias), {**options, "groups": groups}


@st.composite
def pooled(draw, make, **options):
    shape = draw(st.tuples(sizes, sizes, st.integers(3, 7), st.integers(3, 7)))
    drawn = {
        "kernel_size": draw(st.tuples(st.integers(2, 3), st.integers(2, 3))),
        "stride": draw(st.none() | st.integers(1, 3)),
        "padding": draw(st.integers(0, 1)),
        "ceil_mode": draw(st.booleans()),
    }
    return (make(*shape),), {**drawn, **{name: draw(strategy) for name, strategy in options.items()}}


DRAWN = {
    **dict.fromkeys(["relu", "tanh", "sigmoid", "erf", "silu", "exp", "expm1", "square", "sin", "cos"], unary()),
    **dict.fromkeys(["reciprocal", "abs", "sign", "neg"], unary()),
    **dict.fromkeys(["log", "log1p", "sqrt", "rsqrt"], unary(positive)),
    **dict.fromkeys(["floor", "ceil", "round"], unary(between)),
    "leaky_relu": unary(negative_slope=st.sampled_from([0.01, 0.3])),
    "gelu": unary(approximate=st.sampled_from(["none", "tanh"])),
    "softplus": unary(beta=st.sampled_from([1.0, 3.0]), threshold=st.sampled_from([20.0, 1.0])),
    "clip": unary(min=st.sampled_from([None, -0.2]), max=st.sampled_from([0.2, 0.3])),
    **dict.fromkeys(["add", "sub", "mul", "div", "pow", "maximum", "minimum"], broadcast(2, positive)),
    "remainder": broadcast(2, positive).map(lambda drawn: ((drawn[0][0], 2 * drawn[0][1] + 0.7), {})),
    "where": chosen(),
    "masked_fill": masked(),
    **dict.fromkeys(["sum", "mean", "norm", "logsumexp"], reduction()),
    **dict.fromkeys(["var", "std"], reduction(of=wide_shapes, correction=st.sampled_from([0, 1, 0.5]))),
    **dict.fromkeys(["amax", "amin"], reduction(distinct)),
    "prod": reduction(),
    "pick": picked(),
    "contiguous": unary(),
    "flip": flipped(),
    "cumsum": along(),
    "expand": expanded(),
    "repeat": repeated(),
    "cat": joined(along_dim=True),
    "stack": joined(along_dim=False),
    "einsum": contracted(),
    "reshape": reshaped(),
    "permute": permuted(),
    **indexing.DRAWN,
    "getitem": indexed(),
    "matmul": products(),
    "linear": linear(),
    "linear_relu": linear(biased=True),
    **dict.fromkeys(["softmax", "log_softmax"], along()),
    "cross_entropy": classes(),
    "layer_norm": normed(parameters=2),
    "rms_norm": normed(parameters=1),
    "batch_norm": batch_normed(),
    "attention": attended(),
    "self_attention": self_attended(),
    "conv": convolved(),
    "max_pool": pooled(distinct, dilation=st.integers(1, 1)),
    "avg_pool": pooled(values, count_include_pad=st.booleans()),
}
