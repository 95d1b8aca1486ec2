"""Shakespeare: a character transformer learns from his works, and writes on."""

from __future__ import annotations

import click
import numpy as np
from numpy.typing import NDArray

import trainstation as ts
from trainstation import Tensor, nn
from trainstation.bench.problems import shakespeare

BATCH, RATE = 16, 5e-3  # sequences; the learning rate at the start, which falls to 0
HELD_OUT = 0.1  # the share of the text, at its end, that is not trained on
SHOWN, SAMPLE = 200, 400  # steps from one line of the output to the next; characters that it writes at the end


class Block(nn.Module):
    """Attention and two linear layers, each behind a LayerNorm and beside a way around."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the layers."""
        self.norm1, self.attention = nn.LayerNorm(width), nn.MultiHeadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, L, width) to the same."""
        y = self.norm1(x)
        x = x + self.attention(y, y, y, is_causal=True)[0]
        made: Tensor = x + self.narrow(nn.functional.gelu(self.widen(self.norm2(x))))
        return made


class Transformer(nn.Module):
    """A transformer (Radford et al., 2019) that predicts the next of the characters it has seen."""

    def __init__(self, vocabulary: int, layers: int = 2, width: int = 64, heads: int = 4, context: int = 64) -> None:
        """Make the layers; `context` is how many characters it sees at most."""
        self.context = context
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, characters: Tensor) -> Tensor:
        """Map the numbers of characters (N, L) to scores of the next ones (N, L, vocabulary)."""
        x = self.tokens(characters) + self.positions(Tensor.arange(characters.shape[1]))
        scores: Tensor = self.head(self.norm(self.blocks(x)))
        return scores


def loss_of(model: Transformer, text: NDArray[np.int64], starts: NDArray[np.int64]) -> Tensor:
    """Return how badly the model foretells the characters after each of those that follow the starts."""
    pieces = text[starts[:, None] + np.arange(model.context + 1)]
    scores = model(ts.tensor(pieces[:, :-1]))
    return nn.functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), ts.tensor(pieces[:, 1:].reshape(-1)))


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
    characters, text = np.unique(np.frombuffer(shakespeare().encode(), np.uint8), return_inverse=True)
    train, held_out = np.split(text, [round(len(text) * (1 - HELD_OUT))])
    ts.manual_seed(seed)
    model = Transformer(len(characters))
    optimizer = ts.optimizers.AdamW(model.parameters(), lr=RATE)
    schedule = ts.schedulers.CosineAnnealingLR(optimizer, T_max=steps)
    rng = np.random.default_rng(seed)
    seen_from = np.linspace(0, len(held_out) - model.context - 1, 256).astype(np.int64)
    losses: list[float] = []
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss = loss_of(model, train, rng.integers(0, len(train) - model.context, BATCH))
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % SHOWN == 0 or step == steps:
            with ts.no_grad():
                held_out_loss = loss_of(model, held_out, seen_from).item()
            click.echo(f"step {step:4}  loss {np.mean(losses):.3f}  held out {held_out_loss:.3f}")
            losses.clear()
    begin = held_out[: model.context]
    spoken = bytes(characters[write(model, begin, SAMPLE, rng)].tolist()).decode()
    click.echo(
        f"Of text that it has not seen, a character takes {held_out_loss / np.log(2):.2f} bits. It writes:\n{spoken}"
    )


if __name__ == "__main__":
    main()
