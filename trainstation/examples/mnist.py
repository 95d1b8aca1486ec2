"""MNIST: a perceptron learns to read 5,000 handwritten digits that are in the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

import trainstation as ts
from trainstation import nn
from trainstation.bench.problems import mnist_5k

BATCH = 64


@click.command()
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Written after each epoch; a run begins with it, if it is there.",
)
def main(epochs: int, seed: int, checkpoint: Path | None) -> None:
    """Train 784-256-128-10 with AdamW, and say how many of the images it has never seen it reads."""
    images, labels, test_images, test_labels = mnist_5k()
    ts.manual_seed(seed)
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    loss_of = nn.CrossEntropyLoss()
    optimizer = ts.optimizers.AdamW(ts.param_groups_weight_decay(model, 0.01), lr=1e-3)
    scheduler = ts.schedulers.CosineAnnealingLR(optimizer, T_max=epochs * -(-len(images) // BATCH))
    run: dict[str, Any] = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    done = ts.load(checkpoint, **run) if checkpoint and checkpoint.exists() else 0
    for epoch in range(done + 1, epochs + 1):
        losses = []
        order = ts.random.generator().permutation(len(images))
        for batch in (order[i : i + BATCH] for i in range(0, len(order), BATCH)):
            optimizer.zero_grad()
            loss = loss_of(model(ts.tensor(images[batch])), ts.tensor(labels[batch]))
            loss.backward()
            ts.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        click.echo(f"epoch {epoch:2}  loss {np.mean(losses):.4f}  learning rate {optimizer.learning_rate():.1e}")
        if checkpoint:
            ts.save(checkpoint, **run, extra=epoch)
    with ts.no_grad():
        scores = model(ts.tensor(test_images)).numpy()
    accuracy = float((scores.argmax(axis=1) == test_labels).mean())
    click.echo(f"It reads {accuracy:.1%} of {len(test_labels):,} images that it was not trained on.")


if __name__ == "__main__":
    main()
