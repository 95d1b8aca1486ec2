"""LeNet-5: convolutions learn to read 5,000 handwritten digits that are in the package."""

from __future__ import annotations

import click
import numpy as np

import trainstation as ts
from trainstation import nn
from trainstation.bench.problems import mnist_5k

BATCH = 32


class LeNet(nn.Sequential):
    """LeNet-5 (LeCun et al., 1998) with ReLU and maxima: images (N, 1, 28, 28) to scores (N, 10)."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )


@click.command()
@click.option("--epochs", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(epochs: int, seed: int) -> None:
    """Train LeNet-5 with Adam, and say how many of the images it has never seen it reads."""
    images, labels, test_images, test_labels = mnist_5k()
    images, test_images = images.reshape(-1, 1, 28, 28), test_images.reshape(-1, 1, 28, 28)
    ts.manual_seed(seed)
    model = LeNet()
    optimizer = ts.optimizers.Adam(model.parameters(), lr=2e-3)
    rng = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        losses = []
        order = rng.permutation(len(images))
        for batch in (order[i : i + BATCH] for i in range(0, len(order), BATCH)):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(ts.tensor(images[batch])), ts.tensor(labels[batch]))
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
