"""Optimizers of torch parameters. One line changes: `from trainstation.interop.torch import AdamW`.

Each is a `torch.optim.Optimizer` that steps the tensors' own memory with trainstation's kernels, on its own threads
(`ts.set_num_threads`). `Adam`, `AdamW`, `SGD` and `RMSprop` have torch's arguments, and state dicts that torch's own
classes load, and the other way round. `optimizer_class` makes a class of any other native optimizer, as does
`ts.create_optimizer("lion", model.parameters(), lr=1e-4)`.

`torch_state_dict` and `load_torch_state_dict` carry the state of a native optimizer to torch's class and back.

What differs from torch's own classes:

- bfloat16 and float16 parameters are stepped in float32, with states in float32; `master` says how they are rounded.
- A step is exact to the same bits on every machine and any number of threads, and not the bits of torch.
- `foreach`, `fused` and `capturable` change nothing. What is checked (groups, states) is checked before anything moves.
- Parameters on other devices, sparse or complex ones, those whose memory overlaps, and `differentiable=True` are
  refused, as are sparse gradients.
"""

from __future__ import annotations

from trainstation.interop.torch.bridge import Bridge
from trainstation.interop.torch.optimizers import SGD, Adam, AdamW, RMSprop, optimizer_class
from trainstation.interop.torch.state_dicts import load_torch_state_dict, torch_state_dict

__all__ = ["SGD", "Adam", "AdamW", "Bridge", "RMSprop", "load_torch_state_dict", "optimizer_class", "torch_state_dict"]
