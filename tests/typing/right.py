"""What users and authors of plugins write, and mypy --strict must accept. Checked, never run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import trainstation as ts
from trainstation.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from trainstation.schedulers import CosineAnnealingLR, LinearLR, ReduceLROnPlateau, SequentialLR
from trainstation.schedules import Cosine, Schedule

# Tensors and networks

x: ts.Tensor = ts.Tensor.randn([10, 10], None).with_requires_grad()
y: ts.Tensor = (x @ x.T + 1.0).relu().mean()
y.backward()
y.backward(None)
gradient: ts.Tensor | None = x.grad
value: float | int | bool = ts.tensor([1.0, 2.0]).sum().item()
array: NDArray[Any] = x.numpy()
model = ts.nn.Sequential(ts.nn.Linear(10, 4), ts.nn.ReLU(), ts.nn.Linear(4, 2))
loss: ts.Tensor = ts.nn.functional.cross_entropy(model(x), ts.tensor([0, 1] * 5))
with ts.no_grad():
    model(x)

# Optimizers

adam = Adam()
adam.add_parameter(x)
adamw = AdamW(model.parameters(), 3e-4, betas=(0.9, 0.95), maximize=True)
sgd = SGD([{"params": [x], "lr": 0.1}], momentum=0.9, nesterov=True)
rmsprop = RMSprop([x], centered=True)
adam.zero_grad()
adam.step()
adam.step([x])
adam.zero_grad([x], set_to_none=False)
adam.set_learning_rate(adam.learning_rate() * 0.9)
adam.load_state_dict(adam.state_dict())


def closure() -> ts.Tensor:
    return (x * x).sum()


adam.step(closure)

# Names

made: Optimizer = ts.create_optimizer("adamw", model.parameters(), lr=3e-4)
kind: type[Optimizer] = ts.get_optimizer("sgd")
names: list[str] = ts.list_optimizers("adam*", exclude=["adamw"], tags="adaptive", origin="builtin")
info: ts.OptimizerInfo = ts.optimizer_info("trainstation/adam")
version: str = info.version


@ts.register_optimizer(name="sign", aliases=("signsgd",), defaults={"lr": 1e-2})
class Sign(Optimizer):
    """A step along the sign of the gradient."""

    def __init__(self, params: Iterable[Any] | None = None, lr: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        return (hyper["lr"] / t,)

    def update(self, p: NDArray[Any], g: NDArray[Any], state: dict[str, Any], scalars: Sequence[Any]) -> None:
        p -= scalars[0] * np.sign(g)


sign: Sign = Sign([x], lr=0.1)
again: type[Sign] = ts.register_optimizer(Sign, name="sign2")


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    return [ts.OptimizerSpec("sign", "package.module:Sign", tags=("sign",), defaults={"lr": 1e-2})]


# Schedules

warm_up = SequentialLR(adam, [LinearLR(adam, 0.1), CosineAnnealingLR(adam, T_max=100)], [5])
warm_up.step()
rates: list[float] = warm_up.get_last_lr()
ReduceLROnPlateau(adam, "max", min_lr=[1e-5]).step(0.5)
schedule: Schedule = Cosine(10)
rate: float = schedule(3, 0.1)

# Training

linear = ts.nn.Linear(3, 1)
grouped = ts.optimizers.SGD(ts.param_groups_weight_decay(linear, 0.1, ["head.*"]), lr=0.1)
norm: float = ts.clip_grad_norm_(linear, 1.0)
average = ts.EMA(grouped, 0.99, warmup=True)
with average.swapped():
    pass
with ts.accumulate(grouped) as total:
    total.backward(linear(ts.Tensor.ones((2, 3))).mean(), weight=2)
with grouped.register_step_post_hook(lambda optimizer, args, kwargs: None) as handle:
    handle.remove()
ts.save("run.safetensors", model=linear, optimizer=grouped, average=average, extra={"epoch": 1})
extra = ts.load("run.safetensors", model=linear, optimizer=grouped, hypers="keep")
newest = ts.CheckpointManager("runs", keep=2).latest()

# Kernels

with ts.kernels.use(ts.kernels.isas()[0]):
    adam.step()
ts.set_num_threads(ts.get_num_threads())
include: str = ts.kernels.get_include()
