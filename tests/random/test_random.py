import copy
import hashlib
import json
import pickle
import threading

import numpy as np
import pytest

import trainstation as ts
from trainstation import random

T = ts.Tensor
DRAWS = {
    "rand float32": lambda **source: T.rand((100, 10), **source),
    "rand float64": lambda **source: T.rand((100, 10), dtype="float64", **source),
    "randn float32": lambda **source: T.randn((100, 10), **source),
    "randn float64": lambda **source: T.randn((100, 10), dtype="float64", **source),
    "randint": lambda **source: T.randint(-5, 1000, (100, 10), **source),
    "randperm": lambda **source: T.randperm(1000, **source),
}
every_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


def same(x, y):
    return x.dtype == y.dtype and np.array_equal(x.numpy(), y.numpy())


SHA256 = {
    "rand float32": "6f5ac58bc4a65e9cc325c311c149c6a9e850966e3914e018f5f22d2ca5cf2caf",
    "rand float64": "fe7411b50ce2e1df6fa35d26467dd97ace22e41d8905d5d948ede8e0faebaf15",
    "randn float32": "105acd689c8078b882c52e93cb7b2823d49396921d5fec474e0df5054b3d7f0c",
    "randn float64": "d51acb70a1c40eb5727edc3094709917f3ab9c679cb611e5b75fa67569439c88",
    "randint": "0413e70b01a79a2a17ebe6579e35cd913814e65c8a5eaf20afdde073b2b8bba9",
    "randperm": "301bd1b4f854d4537ab50de6a06c2e090d4d28967399b4468be99e2fe9743909",
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_stream_is_the_same_on_every_platform(name):
    """A change here makes every seeded result of the past another one."""
    drawn = DRAWS[name](seed=2024).numpy()
    assert hashlib.sha256(drawn.astype(drawn.dtype.newbyteorder("<")).tobytes()).hexdigest() == SHA256[name]


@every_draw
def test_a_seed_a_generator_and_the_shared_stream_draw_the_same(draw):
    expected = draw(seed=7)
    generator = random.Generator(7)
    assert same(draw(generator=generator), expected)
    assert not same(draw(generator=generator), expected)
    assert same(draw(generator=generator.manual_seed(7)), expected)
    assert same(draw(generator=np.random.Generator(np.random.PCG64(7))), expected)
    ts.manual_seed(7)
    assert same(draw(seed=9), draw(generator=random.Generator(9)))  # which leaves the shared stream where it is
    assert same(draw(), expected)


def test_another_shared_stream_for_a_while():
    ts.manual_seed(7)
    shared = random.generator()
    expected = random.Generator(7).standard_normal(2)
    assert shared.standard_normal() == expected[0]
    with random.seeded(3):
        assert random.generator() is not shared
        assert random.generator().standard_normal() == random.Generator(3).standard_normal()
        ts.manual_seed(4)
    assert random.generator() is shared
    assert shared.standard_normal() == expected[1]


@every_draw
def test_a_state_is_plain_and_goes_on_where_it_was_taken(draw):
    ts.manual_seed(3)
    draw()
    T.rand(3)  # of float32: half of what PCG64 gave is kept for the next
    state = json.loads(json.dumps(random.get_state()))
    expected = [draw(), draw()]
    random.set_state(state)
    assert same(draw(), expected[0])
    assert same(draw(), expected[1])
    generator = random.Generator(0)
    generator.set_state(state)
    assert same(draw(generator=generator), expected[0])


@every_draw
def test_copies_of_a_generator_go_on_by_themselves(draw):
    generator = random.Generator(1)
    draw(generator=generator)
    copies = copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))
    expected = draw(generator=generator)
    for other in copies:
        assert type(other) is random.Generator
        assert same(draw(generator=other), expected)


@pytest.mark.parametrize("state", [{}, {"bit_generator": "MT19937"}, {"bit_generator": "PCG64"}, None, {"state": 1}])
def test_what_is_no_state_is_refused_and_changes_nothing(state):
    generator = random.Generator(5)
    before = generator.get_state()
    for set_state in (generator.set_state, random.set_state):
        with pytest.raises(ValueError, match="not the state of a generator"):
            set_state(state)
    assert generator.get_state() == before


@pytest.mark.parametrize("draw", [T.rand, T.randn, T.randperm, lambda n, **source: T.randint(5, n, **source)])
def test_a_seed_and_a_generator_contradict(draw):
    with pytest.raises(ValueError, match="not from both"):
        draw(3, seed=1, generator=random.Generator(1))


def in_threads(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_with_generators_of_their_own_draw_what_each_draws_alone():
    def draws(seed):
        generator = random.Generator(seed)
        return [draw(generator=generator).numpy() for _ in range(20) for draw in DRAWS.values()]

    found = {}
    in_threads(*(lambda seed=seed: found.update({seed: draws(seed)}) for seed in (1, 2)))
    for seed, arrays in found.items():
        assert all(np.array_equal(x, y) for x, y in zip(arrays, draws(seed), strict=True))
    assert sorted(found) == [1, 2]


def test_threads_share_the_stream_without_losing_or_doubling_a_number():
    ts.manual_seed(4)
    found = []
    in_threads(*[lambda: found.extend(T.rand(50, dtype="float64").numpy() for _ in range(200))] * 4)
    ts.manual_seed(4)
    assert np.array_equal(np.sort(np.concatenate(found)), np.sort(T.rand(50 * 800, dtype="float64").numpy()))


def test_randint():
    drawn = T.randint(2, 5, (1000,), seed=0)
    assert set(drawn.tolist()) == {2, 3, 4}
    assert set(T.randint(2, (1000,), seed=0).tolist()) == {0, 1}
    assert T.randint(9, 5, seed=0).shape == (5,)
    assert T.randint(9, (), seed=0).shape == ()
    assert T.randint(9, (2,), dtype="float32", requires_grad=True).requires_grad
    for bounds in ((5, 5), (5, 2), (0, 0)):
        with pytest.raises(ValueError, match="low < high"):
            T.randint(*bounds, (2,))


def test_randperm():
    drawn = T.randperm(100, seed=0)
    assert drawn.dtype == np.int64
    assert sorted(drawn.tolist()) == list(range(100))
    assert drawn.tolist() != list(range(100))
    assert T.randperm(0).shape == (0,)
    assert T.randperm(3, dtype="float32").dtype == np.float32
    with pytest.raises(ValueError, match="-3"):
        T.randperm(-3)


@pytest.mark.parametrize("name", ["empty", "zeros", "ones", "full", "rand", "randn"])
def test_like_another(name):
    other = ts.tensor(np.ones((2, 3)), requires_grad=True)
    fill = (7,) if name == "full" else ()
    make = getattr(T, f"{name}_like")
    made = make(other, *fill)
    assert (made.shape, made.dtype, made.requires_grad) == ((2, 3), np.float64, False)
    assert make(other, *fill, dtype="float32").dtype == np.float32
    assert make(other, *fill, requires_grad=True).requires_grad
    constant = {"zeros": 0, "ones": 1, "full": 7}.get(name)
    if constant is not None:
        assert np.array_equal(made.numpy(), np.full((2, 3), constant))
        assert make(ts.tensor([1, 2]), *fill).dtype == np.int64
    elif name != "empty":
        assert same(make(other, seed=1), getattr(T, name)((2, 3), 1, dtype="float64"))
        assert same(make(other, generator=random.Generator(1)), make(other, 1))
        with pytest.raises(TypeError, match="int64"):
            make(ts.tensor([1, 2]))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: T.linspace(0, 1, 5), np.array([0, 0.25, 0.5, 0.75, 1], np.float32)),
        (lambda: T.linspace(0, 10, 4, dtype="int64"), np.array([0, 3, 6, 10])),
        (lambda: T.linspace(0.5, 9, 1), np.array([0.5], np.float32)),
        (lambda: T.linspace(3, 1, 3, dtype="float64", requires_grad=True), np.array([3.0, 2, 1])),
        (lambda: T.linspace(0, 1, 0), np.array([], np.float32)),
        (lambda: T.eye(2, 3), np.array([[1, 0, 0], [0, 1, 0]], np.float32)),
        (lambda: T.empty((0, 2)), np.zeros((0, 2), np.float32)),
        (lambda: T.empty(0, dtype="int32"), np.zeros(0, np.int32)),
    ],
)
def test_ranges_and_constants(made, expected):
    assert same(made(), ts.tensor(expected))


@pytest.mark.parametrize(
    "make", [T.zeros, T.ones, T.empty, T.rand, T.randn, T.eye, lambda n: T.full(n, 1), lambda n: T.linspace(0, 1, n)]
)
def test_a_negative_length_is_an_error(make):
    with pytest.raises(ValueError, match="negative"):
        make(-1)
