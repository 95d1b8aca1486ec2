"""Real signals in the middle of native steps, each followed by a comparison with what NumPy makes of the same numbers.

    python tests/support/signalled.py STEPS SEED

prints as its last line how many steps and interrupts there were. A program of its own, for any Python and module.
"""

import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

import numpy as np

import trainstation as ts
from trainstation.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

SIZES = (7, 64, 301)
STEPS_OF_A_LIFE = 40
DECAY = 0.75
KINDS: Sequence[tuple[type[Optimizer], dict[str, Any]]] = [
    (Adam, {"lr": 0.01}),
    (AdamW, {"lr": 0.01, "amsgrad": True}),
    (SGD, {"lr": 0.01, "momentum": 0.9}),
    (RMSprop, {"lr": 0.01}),
]


class Alarm:
    """Raises KeyboardInterrupt at some time within a step, or not at all."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.is_armed = False
        self.count = 0
        self.place = ""  # of the last interrupt
        self.ignored: list[str] = []
        self.lengths = {True: 1e-3, False: 1e-4}  # seconds that first and later steps take, about
        signal.signal(signal.SIGALRM, self._ring)
        sys.unraisablehook = self._ignore

    def _ring(self, _: int, frame: FrameType | None) -> None:
        if self.is_armed:
            self.is_armed = False
            self.count += 1
            self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "nowhere"
            raise KeyboardInterrupt

    def _ignore(self, found: Any) -> None:
        """Note what Python would print; an interrupt that comes in a callback ends there."""
        if found.exc_type is not KeyboardInterrupt:
            self.ignored.append(f"{found.exc_type.__name__}: {found.exc_value}, in {found.object!r}")

    def step(self, optimizer: Optimizer, *, is_first: bool) -> None:
        """Step, and interrupt that."""
        begun = time.perf_counter()
        delay = 1e-6 + self.rng.uniform(0, 4) * self.lengths[is_first]
        try:
            self.is_armed = True
            signal.setitimer(signal.ITIMER_REAL, delay)
            optimizer.step()
            self.lengths[is_first] += 0.1 * (time.perf_counter() - begun - self.lengths[is_first])
            self.is_armed = False
        except KeyboardInterrupt:
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)


class Model:
    """What one parameter, its states and its average are, in NumPy."""

    def __init__(self, values: Any, states: Sequence[str], *, is_averaged: bool) -> None:
        self.values = values.copy()
        self.state = {name: np.zeros_like(values) for name in states}
        self.t = 0
        self.average = values.copy() if is_averaged else None

    def after(self, meaning: Optimizer, gradient: Any, scale: float) -> "Model":
        """Return what there is after a step."""
        made = Model(self.values, (), is_averaged=False)
        made.state = {name: array.copy() for name, array in self.state.items()}
        made.t = self.t + 1
        with np.errstate(all="ignore"):
            scalars = tuple(map(np.float32, meaning.scalars(meaning.defaults, made.t)))
            meaning.update(made.values, gradient * np.float32(scale), made.state, scalars)
        return made

    def averaged(self, former: Any, n: int) -> "Model":
        """Return it with its average, the nth, of which there was another one."""
        if former is not None:
            weight = np.float32(1 - DECAY if n else 1)
            self.average = former + weight * (self.values - former) if n else self.values.copy()
        return self

    def bits(self) -> list[bytes]:
        """Return all bytes; as if it had no state before its first step."""
        arrays = [self.values, *(self.state[name] for name in sorted(self.state) if self.t)]
        return [*(array.tobytes() for array in arrays), b"" if self.average is None else self.average.tobytes()]


class Life:
    """An optimizer of some kind with some options, and its model."""

    def __init__(self, alarm: Alarm, rng: np.random.Generator) -> None:
        self.alarm, self.rng = alarm, rng
        kind, hyper = KINDS[int(rng.integers(len(KINDS)))]
        self.max_norm = 20.0 if rng.integers(2) else None
        options: dict[str, Any] = {"max_grad_norm": self.max_norm, "on_nonfinite": "skip"}
        self.meaning = kind(None, **hyper)
        self.strided = 1 if rng.integers(4) == 0 else None
        self.params = [self._parameter(n, is_strided=k == self.strided) for k, n in enumerate(SIZES)]
        self.optimizer = kind(self.params, **hyper, **options)
        self.average = ts.EMA(self.optimizer, DECAY) if self.strided is None and rng.integers(2) else None
        states = self.meaning.variant(self.meaning.defaults)[1]
        self.models = [Model(p.data, states, is_averaged=self.average is not None) for p in self.params]
        self.n_averaged = 0
        self.give_all()

    def _parameter(self, n: int, *, is_strided: bool) -> ts.Tensor:
        values = self.rng.standard_normal((n, 2)).astype(np.float32)
        return ts.Tensor.from_numpy(values[:, 0] if is_strided else values[:, 0].copy()).requires_grad_()

    def _gradient(self, p: ts.Tensor) -> Any:
        """Return whole numbers: the sum of their squares is the same in any order."""
        return self.rng.integers(-9, 10, p.data.shape).astype(np.float32)

    def give_all(self) -> None:
        """Give each parameter another array."""
        for p in self.params:
            p.grad = self._gradient(p)

    def change(self) -> None:
        """Do what comes between steps: other numbers in the same arrays, other arrays, none, a NaN, another rate."""
        chance = self.rng.random()
        one = self.params[self.rng.integers(len(self.params))]
        if chance < 0.2 or any(p.grad is None for p in self.params):
            self.give_all()
        elif chance < 0.3:
            one.grad = self._gradient(one)
        elif chance < 0.35:
            one.grad = None
        elif chance < 0.4 and one.grad is not None:
            one.grad.data[0] = np.nan
        elif chance < 0.45:
            self.meaning.set_learning_rate(float(self.rng.uniform(0.001, 0.1)))
            self.optimizer.set_learning_rate(self.meaning.learning_rate())
        else:
            for p in self.params:
                if p.grad is not None:
                    p.grad.data[...] = self._gradient(p)

    def step(self) -> None:
        """Make a step that may be interrupted; then everything is that of before, or that of after it."""
        after = self._after()
        self.alarm.step(self.optimizer, is_first=self.models[0].t == 0)
        found = [self._bits(place) for place in range(len(self.params))]
        moved = []
        for place, bits in enumerate(found):
            left, right = self.models[place].bits(), after[place].bits()
            assert bits in (left, right), f"parameter {place} is half stepped: {self}"
            moved.append(None if left == right else bits == right)
        together = {each for place, each in enumerate(moved) if place != self.strided} - {None}
        assert len(together) < 2, f"some were stepped, some not: {moved}, {self}"
        for place, is_moved in enumerate(moved):
            if is_moved:
                self.models[place] = after[place]
            state = self.optimizer.state.get(self.params[place])
            assert int(state["step"] if state else 0) == self.models[place].t, f"counter of parameter {place}: {self}"
        if self.average is not None:
            self.n_averaged += True in moved
            assert self.average.n_averaged == self.n_averaged, f"n_averaged: {self}"

    def _after(self) -> list[Model]:
        gradients = [None if p.grad is None else p.grad.data for p in self.params]
        squares = sum(float(np.square(g, dtype=np.float64).sum()) for g in gradients if g is not None)
        if not np.isfinite(squares):
            return self.models
        factor = 1.0 if self.max_norm is None else self.max_norm / (np.sqrt(squares) + 1e-6)
        made = []
        for model, gradient in zip(self.models, gradients, strict=True):
            if gradient is None:
                next_one = Model(model.values, (), is_averaged=False)
                next_one.state, next_one.t = model.state, model.t
            else:
                next_one = model.after(self.meaning, gradient, min(1.0, factor))
            made.append(next_one.averaged(model.average, self.n_averaged))
        return made

    def _bits(self, place: int) -> list[bytes]:
        p = self.params[place]
        state = self.optimizer.state.get(p, {})
        arrays = [p.data, *(state[name] for name in sorted(state) if name != "step")]
        average = b""
        if self.average is not None:
            average = self.average.state_dict()["averages"][str(place)].tobytes()
        return [*(array.tobytes() for array in arrays), average]

    def __repr__(self) -> str:
        steps = [model.t for model in self.models]
        last = f"the last interrupt came at {self.alarm.place}"
        return f"{self.optimizer!r}, steps {steps}, strided {self.strided}, {self.average}; {last}"


def main(steps: int, seed: int) -> None:
    """Make so many steps, in many lives."""
    rng = np.random.default_rng(seed)
    alarm = Alarm(rng)
    life = Life(alarm, rng)
    for number in range(steps):
        if number % STEPS_OF_A_LIFE == 0:
            life = Life(alarm, rng)
        life.step()
        assert not alarm.ignored, f"ignored: {alarm.ignored[0]}, {life}"
        life.change()
    stepping = threading.Thread(target=life.optimizer.step, daemon=True)
    stepping.start()
    stepping.join(60)
    assert not stepping.is_alive(), "an interrupt has left the optimizer locked"
    assert alarm.count > steps // 50, f"{alarm.count} interrupts"
    print(f"{steps} steps, {alarm.count} interrupts")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
