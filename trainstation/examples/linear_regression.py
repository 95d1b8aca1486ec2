"""Linear regression: finds the weights that noisy data were made with."""

from __future__ import annotations

import click
import numpy as np

import trainstation as ts
from trainstation import nn

TRUE_WEIGHT, TRUE_BIAS, NOISE = np.array([2.0, -3.0, 0.5], np.float32), 1.0, 0.1


@click.command()
@click.option("--steps", type=click.IntRange(min=1), default=100, show_default=True, help="Of all data each.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(steps: int, seed: int) -> None:
    """Fit y = x . weight + bias by gradient descent, and compare with what the data were made with."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((500, 3), np.float32)
    noise = NOISE * rng.standard_normal(500, np.float32)
    x, y = ts.tensor(inputs), ts.tensor((inputs @ TRUE_WEIGHT + TRUE_BIAS + noise)[:, None])

    ts.manual_seed(seed)
    model = nn.Linear(3, 1)
    loss_of = nn.MSELoss()
    optimizer = ts.optimizers.SGD(model.parameters(), lr=0.05)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        if step % 10 == 0 or step == steps:
            click.echo(f"step {step:3}  loss {loss.item():.5f}")

    found = np.array([*model.weight.numpy()[0], model(ts.Tensor.zeros((1, 3))).item()])
    true = np.array([*TRUE_WEIGHT, TRUE_BIAS])
    off = np.abs(found - true).max()
    click.echo(f"It found {found.round(3)}, the data were made with {true}: at most {off:.3f} off.")


if __name__ == "__main__":
    main()
