"""Shakespeare: a character transformer learns from his works, and writes on."""

from __future__ import annotations

import click
import numpy as np
from numpy.typing import NDArray

import trainstation as ts
from trainstation.bench.problems.text import Transformer, characters, foretell

BATCH, RATE = 16, 5e-3  # sequences; the learning rate at the start, which falls to 0
SHOWN, SAMPLE = 200, 400  # steps from one line of the output to the next; characters that it writes at the end


def write(model: Transformer, begin: NDArray[np.int64], length: int, rng: np.random.Generator) -> list[int]:
    """Return what the model writes on: each character is drawn from those that it holds possible."""
    written = list(begin)
    for _ in range(length):
        with ts.no_grad():
            scores = model(ts.tensor([written[-model.context :]])).numpy()[0, -1].astype(np.float64)
        chances = np.exp(scores - scores.max())
        written.append(int(rng.choice(len(chances), p=chances / chances.sum())))
    return written[len(begin) :]


@click.command()
@click.option("--steps", type=click.IntRange(min=1), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(steps: int, seed: int) -> None:
    """Train a small transformer with AdamW, say how well it foretells text it has not seen, and let it write."""
    alphabet, train, held_out = characters()
    ts.manual_seed(seed)
    model = Transformer(len(alphabet))
    optimizer = ts.optimizers.AdamW(model.parameters(), lr=RATE)
    schedule = ts.schedulers.CosineAnnealingLR(optimizer, T_max=steps)
    rng = np.random.default_rng(seed)
    seen_from = np.linspace(0, len(held_out) - model.context - 1, 256).astype(np.int64)
    losses: list[float] = []
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss = foretell(model, train, rng.integers(0, len(train) - model.context, BATCH))
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % SHOWN == 0 or step == steps:
            with ts.no_grad():
                held_out_loss = foretell(model, held_out, seen_from).item()
            click.echo(f"step {step:4}  loss {np.mean(losses):.3f}  held out {held_out_loss:.3f}")
            losses.clear()
    begin = held_out[: model.context]
    spoken = bytes(alphabet[write(model, begin, SAMPLE, rng)].tolist()).decode()
    click.echo(
        f"Of text that it has not seen, a character takes {held_out_loss / np.log(2):.2f} bits. It writes:\n{spoken}"
    )


if __name__ == "__main__":
    main()
