"""Other libraries' optimizers for trainstation: names them, and imports each library when it is first used."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import trainstation as ts

PIP = {
    "torch": "pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu",
    "optax": "pip install jax optax",
    "deepspeed": "pip install deepspeed",
    "numpy": "pip install numpy",
}
RULES = ("Adam", "AdamW", "SGD", "RMSprop")


def _peers() -> Iterator[tuple[str, str, str, str]]:
    """Yield the package, the rule, what is added to its name, and a summary, of each peer."""
    for rule in RULES:
        yield "torch", rule, "", f"PyTorch's {rule}: a loop over tensors, the default on a CPU"
        yield "torch", rule, "Foreach", f"PyTorch's {rule} with foreach=True"
        if rule != "RMSprop":  # which has no such kernel
            yield "torch", rule, "Fused", f"PyTorch's {rule} with fused=True"
        yield "optax", rule, "", f"Optax's {rule}, compiled by JAX; chooses its own number of threads"
        if rule in ("Adam", "AdamW"):
            yield "deepspeed", rule, "", f"DeepSpeedCPUAdam as {rule}; is compiled when first used"
        yield "numpy", rule, "", f"{rule} as one writes it in NumPy"
        yield "numpy", rule, "Inplace", f"{rule} in NumPy without temporaries"


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return all peers; the summary of one whose package is absent says so, and how it comes."""
    return [
        ts.OptimizerSpec(
            f"{package}.{'cpu' * (package == 'deepspeed')}{rule}{'_' * bool(more)}{more}",
            f"trainstation_peers.with_{package}:{rule}{more}",
            summary if find_spec(package) else f"absent ({PIP[package]}); {summary}",
            tags=("peer", rule.lower()),
        )
        for package, rule, more, summary in _peers()
    ]
