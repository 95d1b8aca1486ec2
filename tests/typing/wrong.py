"""Mistakes that mypy --strict must report, each in a marked line and nowhere else. Checked, never run."""

from collections.abc import Mapping, Sequence
from typing import Any

import trainstation as ts
from trainstation.optimizers import SGD, Adam, Optimizer
from trainstation.schedulers import ReduceLROnPlateau, SequentialLR, StepLR

x = ts.Tensor.randn([2, 2])
adam = Adam([x])

print(ts.no_such_name)  # E: attr-defined
ts.Tensor.randn("2")  # E: arg-type
ts.tensor([1.0], requires_gradient=True)  # E: call-arg
x.backward(retain=True)  # E: call-arg
x.no_such_method()  # E: attr-defined
ts.nn.Linear(2)  # E: call-arg

Adam(lr="fast")  # E: arg-type
Adam(betas=0.9)  # E: arg-type
Adam(beta1=0.9)  # E: call-arg
SGD([x], 0.1, 0.9, 0, 0, True, True)  # E: call-arg
adam.step(3)  # E: arg-type
adam.zero_grad([x], True)  # E: call-arg
adam.set_learning_rate("0.1")  # E: arg-type
rate: str = adam.learning_rate()  # E: assignment
Optimizer([x], {})  # E: abstract


class Half(Optimizer):
    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        return ()


Half([x], {})  # E: abstract

ts.create_optimizer(3)  # E: call-overload
ts.create_optimizer()  # E: call-overload
made: SGD = ts.create_optimizer("sgd")  # E: assignment
ts.list_optimizers(tags=3)  # E: arg-type
ts.optimizer_info("adam").name = "eve"  # E: misc
print(ts.optimizer_info("adam").licence)  # E: attr-defined
ts.OptimizerSpec("sign")  # E: call-arg
ts.OptimizerSpec("sign", "package:Sign", aliases="signsgd")  # E: arg-type
ts.register_optimizer(Adam)  # E: call-overload
ts.register_optimizer(Adam([x]), name="mine")  # E: call-overload

StepLR(adam)  # E: call-arg
StepLR(adam, 3).step(4)  # E: call-arg
ReduceLROnPlateau(adam).step()  # E: call-arg
SequentialLR(adam, StepLR(adam, 3), [2])  # E: arg-type

ts.clip_grad_norm_(adam)  # E: call-arg
ts.EMA(adam, "0.9")  # E: arg-type
ts.accumulate()  # E: call-arg
ts.save("run", None)  # E: call-arg
ts.save("run", optimizer=3)  # E: arg-type
ts.load("run", hyper="keep")  # E: call-arg
ts.save_all("run")  # E: attr-defined

ts.set_num_threads("2")  # E: arg-type
ts.kernels.use(2)  # E: arg-type
