"""Schedules: four ways to lower the learning rate while a model trains, and none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import click
import numpy as np

import trainstation as ts
from trainstation import nn
from trainstation.bench.problems import mnist_5k
from trainstation.optimizers import Optimizer

RATE, BATCH = 4e-3, 64
PATTERNS = ("constant", "exponential decay", "step decay", "cosine annealing", "adaptive adjustment")


def adjust(pattern: str, optimizer: Optimizer, epochs: int, losses: Sequence[float]) -> None:
    """Set the learning rate after an epoch; `losses` are those on held-out data, one of each epoch so far."""
    epoch, rate = len(losses), optimizer.learning_rate()
    if pattern == "exponential decay":
        optimizer.set_learning_rate(0.8 * rate)
    elif pattern == "step decay" and epoch in {epochs // 2, epochs * 3 // 4}:
        optimizer.set_learning_rate(0.1 * rate)
    elif pattern == "cosine annealing":
        optimizer.set_learning_rate(RATE * (1 + math.cos(math.pi * epoch / epochs)) / 2)
    elif pattern == "adaptive adjustment":
        waited = epoch - 1 - losses.index(min(losses))
        if waited and waited % 2 == 0:  # no better for two epochs, or for two more
            optimizer.set_learning_rate(0.5 * rate)


def train(pattern: str, epochs: int, seed: int) -> tuple[float, float]:
    """Train a model on MNIST-5k; return the last held-out loss and learning rate."""
    images, labels, held_out, held_out_labels = mnist_5k()
    ts.manual_seed(seed)
    model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    loss_of = nn.CrossEntropyLoss()
    optimizer = ts.optimizers.Adam(model.parameters(), lr=RATE)
    rng = np.random.default_rng(seed)
    losses: list[float] = []
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for batch in (order[i : i + BATCH] for i in range(0, len(order), BATCH)):
            optimizer.zero_grad()
            loss_of(model(ts.tensor(images[batch])), ts.tensor(labels[batch])).backward()
            optimizer.step()
        with ts.no_grad():
            losses.append(loss_of(model(ts.tensor(held_out)), ts.tensor(held_out_labels)).item())
        adjust(pattern, optimizer, epochs, losses)
    return losses[-1], optimizer.learning_rate()


@click.command()
@click.option("--epochs", type=click.IntRange(min=1), default=16, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(epochs: int, seed: int) -> None:
    """Train the same model with each pattern, and say which did best."""
    losses = {}
    for pattern in PATTERNS:
        losses[pattern], rate = train(pattern, epochs, seed)
        click.echo(f"{pattern:19}  learning rate {RATE:g} -> {rate:<7.2g}  held-out loss {losses[pattern]:.4f}")
    click.echo(f"Best: {min(losses, key=losses.__getitem__)}.")


if __name__ == "__main__":
    main()
