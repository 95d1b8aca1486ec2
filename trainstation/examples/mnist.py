"""MNIST: a perceptron learns to read 5,000 handwritten digits that are in the package."""

from __future__ import annotations

import click
import numpy as np

import trainstation as ts
from trainstation import nn
from trainstation.bench.problems import mnist_5k

BATCH = 64


@click.command()
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(epochs: int, seed: int) -> None:
    """Train 784-256-128-10 with AdamW, and say how many of the images it has never seen it reads."""
    images, labels, test_images, test_labels = mnist_5k()
    ts.manual_seed(seed)
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    loss_of = nn.CrossEntropyLoss()
    optimizer = ts.optimizers.AdamW(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        losses = []
        order = rng.permutation(len(images))
        for batch in (order[i : i + BATCH] for i in range(0, len(order), BATCH)):
            optimizer.zero_grad()
            loss = loss_of(model(ts.tensor(images[batch])), ts.tensor(labels[batch]))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with ts.no_grad():
            scores = model(ts.tensor(test_images)).numpy()
        accuracy = float((scores.argmax(axis=1) == test_labels).mean())
        click.echo(f"epoch {epoch:2}  loss {np.mean(losses):.4f}  accuracy {accuracy:.1%}")
    click.echo(f"It reads {accuracy:.1%} of {len(test_labels):,} images that it was not trained on.")


if __name__ == "__main__":
    main()
