"""Every layer and loss, made by either library, with its inputs: name -> [(library, sizes) -> (module, inputs)].

`sizes` are small positive integers n (batch), c, d (channels), l, h, w (lengths).
"""

from types import SimpleNamespace

import numpy as np

SIZES = SimpleNamespace(n=3, c=4, d=2, l=5, h=6, w=7)


def normal(*shape, seed=0):
    return np.asarray(np.random.default_rng((seed, *shape)).standard_normal(shape))


def apart(*shape, seed=0):
    """Distinct and away from 0: no maximum is a tie, nothing is at a kink."""
    size = int(np.prod(shape))
    return (np.random.default_rng((seed, *shape)).permutation(size) - size // 2 + 0.5).reshape(shape) / 10


def classes(count, *shape, seed=0):
    """Drawn classes, the first one the last of all: were every target ignored, the loss would be NaN."""
    drawn = np.random.default_rng((seed, *shape)).integers(0, count, shape)
    drawn.flat[0] = count - 1
    return drawn


def layer(name, *shape, make=apart, **options):
    """A layer whose arguments do not depend on sizes."""
    return lambda lib, s: (getattr(lib.nn, name)(**options), [make(*(getattr(s, each) for each in shape))])


def linear(**options):
    return lambda lib, s: (lib.nn.Linear(s.c, s.d, **options), [normal(s.n, s.l, s.c)])


def conv1d(**options):
    return lambda lib, s: (lib.nn.Conv1d(2 * s.c, 2 * s.d, 3, **options), [normal(s.n, 2 * s.c, s.l + 5)])


def conv2d(kernel, **options):
    return lambda lib, s: (lib.nn.Conv2d(2 * s.c, 2 * s.d, kernel, **options), [normal(s.n, 2 * s.c, s.h + 5, s.w + 5)])


def pool(name, **options):
    return lambda lib, s: (getattr(lib.nn, name)(**options), [apart(s.n, s.c, s.h + 5, s.w + 5)])


def norm(name, shape, **options):
    return lambda lib, s: (
        getattr(lib.nn, name)([getattr(s, each) for each in shape], **options),
        [normal(s.n, s.l, *(getattr(s, each) for each in shape))],
    )


def batch_norm(name, shape, **options):
    return lambda lib, s: (
        getattr(lib.nn, name)(s.c, **options),
        [normal(s.n + 1, s.c, *(getattr(s, each) for each in shape))],
    )


def attention(**options):
    def make(lib, s):
        module = lib.nn.MultiheadAttention(2 * s.c, 2, **options)
        n, first = s.n, options.get("batch_first", False)
        query, memory = ((s.n, s.l), (s.n, s.h)) if first else ((s.l, n), (s.h, n))
        key = normal(*memory, 2 * s.c, seed=1)
        return module, [normal(*query, 2 * s.c), key, normal(*key.shape, seed=2)]

    return make


def embedding(**options):
    return lambda lib, s: (lib.nn.Embedding(s.c + 2, s.d, **options), [classes(s.c + 2, s.n, s.l)])


def distance(name, **options):
    """A loss of two tensors of one shape; differences away from the kinks at 0, 0.4 and 1."""
    return lambda lib, s: (
        getattr(lib.nn, name)(**options),
        [(inputs := apart(s.n, s.c)), inputs - apart(s.n, s.c, seed=1) - 0.03],
    )


def poisson(**options):
    return lambda lib, s: (
        lib.nn.PoissonNLLLoss(**options),
        [np.abs(normal(s.n, s.c)) + 0.1, classes(4, s.n, s.c) + 0.25],
    )


def binary(weight=False, pos_weight=False, **options):
    def make(lib, s):
        weights = {"weight": weight, "pos_weight": pos_weight}
        made = {k: lib.tensor(np.abs(normal(s.c, seed=3))) for k, wanted in weights.items() if wanted}
        return lib.nn.BCEWithLogitsLoss(**made, **options), [normal(s.n, s.c) * 9, np.abs(np.sin(normal(s.n, s.c)))]

    return make


def of_classes(name, *shape, weight=False, probabilities=False, **options):
    def make(lib, s):
        last, count = [getattr(s, each) for each in shape], s.c + 2
        made = {"weight": lib.tensor(np.abs(normal(count, seed=3)))} if weight else {}
        target = np.abs(normal(s.n, count, *last, seed=4)) if probabilities else classes(count, s.n, *last)
        return getattr(lib.nn, name)(**made, **options), [normal(s.n, count, *last), target]

    return make


def every_reduction(make, *args, **options):
    return [make(*args, reduction=reduction, **options) for reduction in ("mean", "sum", "none")]


def cross_entropies(name):
    more = [{"label_smoothing": 0.2}] if name == "CrossEntropyLoss" else []
    return [
        each
        for options in ({}, {"ignore_index": 1}, *more, *({"ignore_index": 0, **some} for some in more))
        for weight in (False, True)
        for shape in ("", "l", "hw")
        for each in every_reduction(of_classes, name, *shape, weight=weight, **options)
    ]


CASES = {
    "Linear": [linear(), linear(bias=False)],
    "Conv1d": [conv1d(), conv1d(stride=2, padding=1, dilation=2, groups=2, bias=False), conv1d(padding="same")],
    "Conv2d": [
        conv2d(3),
        conv2d((3, 2), stride=(2, 1), padding=(0, 1), dilation=(1, 2), groups=2, bias=False),
        conv2d((2, 4), padding="same"),
        conv2d((4, 2), padding="same", dilation=(1, 3)),
        conv2d(2, padding="valid", stride=2),
    ],
    "MaxPool2d": [
        pool("MaxPool2d", kernel_size=2),
        pool("MaxPool2d", kernel_size=(3, 2), stride=2, padding=1, dilation=(1, 2), ceil_mode=True),
    ],
    "AvgPool2d": [
        pool("AvgPool2d", kernel_size=2),
        pool("AvgPool2d", kernel_size=(3, 2), stride=(2, 1), padding=1, ceil_mode=True, count_include_pad=False),
        pool("AvgPool2d", kernel_size=3, padding=1, ceil_mode=True),
    ],
    "Flatten": [layer("Flatten", *"ncl"), layer("Flatten", *"ncl", start_dim=0, end_dim=-2)],
    "Identity": [layer("Identity", *"nc")],
    "Dropout": [layer("Dropout", *"nc", p=0), layer("Dropout", *"nc", p=1)],
    "Embedding": [embedding()],
    "LayerNorm": [
        norm("LayerNorm", "c"),
        norm("LayerNorm", "cd", eps=0.1, bias=False),
        norm("LayerNorm", "c", elementwise_affine=False),
    ],
    "RMSNorm": [norm("RMSNorm", "c"), norm("RMSNorm", "cd", eps=0.1), norm("RMSNorm", "c", elementwise_affine=False)],
    "BatchNorm1d": [
        batch_norm("BatchNorm1d", "", eps=0.1, momentum=0.3),
        batch_norm("BatchNorm1d", "l", momentum=None),
        batch_norm("BatchNorm1d", "", bias=False, track_running_stats=False),
    ],
    "BatchNorm2d": [batch_norm("BatchNorm2d", "hw"), batch_norm("BatchNorm2d", "hw", affine=False)],
    "MultiHeadAttention": [attention(), attention(batch_first=True, bias=False)],
    "MultiheadAttention": [attention(batch_first=True)],
    "ReLU": [layer("ReLU", *"nc")],
    "LeakyReLU": [layer("LeakyReLU", *"nc"), layer("LeakyReLU", *"nc", negative_slope=0.3)],
    "GELU": [layer("GELU", *"nc"), layer("GELU", *"nc", approximate="tanh")],
    "SiLU": [layer("SiLU", *"nc")],
    "Tanh": [layer("Tanh", *"nc")],
    "Sigmoid": [layer("Sigmoid", *"nc")],
    "Softplus": [layer("Softplus", *"nc"), layer("Softplus", *"nc", beta=2.5, threshold=1.0)],
    "Softmax": [layer("Softmax", *"ncl", dim=1), layer("Softmax", *"ncl", dim=-1)],
    "LogSoftmax": [layer("LogSoftmax", *"ncl", dim=0)],
    "Sequential": [
        lambda lib, s: (lib.nn.Sequential(lib.nn.Linear(s.c, s.d), lib.nn.Tanh()), [normal(s.n, s.c)]),
        lambda lib, s: (lib.nn.Sequential(), [normal(s.n, s.c)]),
    ],
    "MSELoss": every_reduction(distance, "MSELoss"),
    "L1Loss": every_reduction(distance, "L1Loss"),
    "HuberLoss": [*every_reduction(distance, "HuberLoss"), distance("HuberLoss", delta=0.4)],
    "SmoothL1Loss": [
        *every_reduction(distance, "SmoothL1Loss"),
        distance("SmoothL1Loss", beta=0.4),
        distance("SmoothL1Loss", beta=0.0),
    ],
    "CrossEntropyLoss": [
        *cross_entropies("CrossEntropyLoss"),
        *(
            each
            for options in ({}, {"weight": True}, {"label_smoothing": 0.3}, {"weight": True, "label_smoothing": 0.3})
            for shape in ("", "l")
            for each in every_reduction(of_classes, "CrossEntropyLoss", *shape, probabilities=True, **options)
        ),
    ],
    "NLLLoss": cross_entropies("NLLLoss"),
    "BCEWithLogitsLoss": [
        *every_reduction(binary),
        *every_reduction(binary, weight=True, pos_weight=True),
        binary(pos_weight=True),
    ],
    "PoissonNLLLoss": [
        *every_reduction(poisson),
        *every_reduction(poisson, log_input=False, full=True),
        poisson(log_input=False, eps=0.1),
    ],
}


def every_case():
    return [(f"{name}-{i}", make) for name, cases in CASES.items() for i, make in enumerate(cases)]
