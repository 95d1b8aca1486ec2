"""Problems on text: transformers that foretell Shakespeare's next character."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import nn, no_grad, random
from trainstation.bench.problems.data import shakespeare
from trainstation.nn import functional
from trainstation.registry.problem import Problem
from trainstation.tensor import Tensor

__all__ = ["PROBLEMS", "Transformer", "characters", "foretell"]

Array = NDArray[Any]
HELD_OUT = 0.1  # the share of the text, at its end, that is not trained on
EPOCH = 100  # batches; the text is long


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
        made: Tensor = x + self.narrow(functional.gelu(self.widen(self.norm2(x))))
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


@cache
def characters() -> tuple[Array, Array, Array]:
    """Return the alphabet as codes, the text to train on as places in it, and the text that is held out."""
    alphabet, text = np.unique(np.frombuffer(shakespeare().encode(), np.uint8), return_inverse=True)
    train, held_out = np.split(text, [round(len(text) * (1 - HELD_OUT))])
    return alphabet, train, held_out


def foretell(model: Transformer, text: Array, starts: Array) -> Tensor:
    """Return how badly a model foretells the characters after each of those that follow the starts, in nats each."""
    pieces = text[starts[:, None] + np.arange(model.context + 1)]
    scores = model(Tensor.from_numpy(pieces[:, :-1]))
    targets = Tensor.from_numpy(pieces[:, 1:].reshape(-1))
    return functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), targets)


class SmallGPT:
    """2 layers of 64, 4 heads, 32 characters of context, batches of 16; the metric is nats a held-out character."""

    layers, width, heads, context, batch_size, shown = 2, 64, 4, 32, 16, 128

    def __init__(self, seed: int) -> None:
        """Draw the first weights and the places in the text from `seed`."""
        random.manual_seed(seed)
        alphabet, self.train, self.held_out = characters()
        self.model = Transformer(len(alphabet), self.layers, self.width, self.heads, self.context)
        self.places = random.generator(seed)
        self.seen_from = np.linspace(0, len(self.held_out) - self.context - 1, self.shown).astype(np.int64)

    def parameters(self) -> list[Any]:
        """Return what to optimize."""
        return list(self.model.parameters())

    def epoch(self) -> Iterator[Array]:
        """Yield where the pieces of each batch begin."""
        starts = self.places.integers(0, len(self.train) - self.context, (EPOCH, self.batch_size))
        return iter(starts)

    def loss(self, batch: Array) -> Tensor:
        """Return the nats a character of a batch."""
        return foretell(self.model, self.train, batch)

    def evaluate(self) -> float:
        """Return the nats a character of pieces from all over the held-out text."""
        with no_grad():
            return float(foretell(self.model, self.held_out, self.seen_from).item())


class NanoGPT(SmallGPT):
    """nanoGPT's size for a CPU: 4 layers of width 128, 4 heads, 64 characters of context, batches of 12."""

    layers, width, heads, context, batch_size, shown = 4, 128, 4, 64, 12, 64


PROBLEMS = [
    Problem(
        "gpt_shakespeare_small",
        "transformer of 2 layers of 64, on Shakespeare's characters",
        "nats",
        EPOCH,
        SmallGPT,
        lower_is_better=True,
        budget=600,
    ),
    Problem(
        "gpt_shakespeare",
        "transformer of nanoGPT's size for a CPU, 4 layers of 128, on Shakespeare's characters",
        "nats",
        EPOCH,
        NanoGPT,
        lower_is_better=True,
        budget=2000,
        profile="full",
    ),
]
