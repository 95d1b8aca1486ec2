"""The torch twins of our LeNet and Transformer, written as a good user of torch would, with our parameters' names."""

from __future__ import annotations

from torch import Tensor, arange, nn
from torch.nn import functional as F  # noqa: N812  # its usual name


class LeNet(nn.Sequential):
    """Two convolutions and three linear layers."""

    def __init__(self) -> None:
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


class Attention(nn.Module):
    """Causal self-attention; the parameters are those of torch's MultiheadAttention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        whole = nn.MultiheadAttention(width, heads, batch_first=True)
        self.in_proj_weight, self.in_proj_bias, self.out_proj = whole.in_proj_weight, whole.in_proj_bias, whole.out_proj
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, L, width) to the same."""
        n, length, width = x.shape
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = (part.view(n, length, self.heads, -1).transpose(1, 2) for part in qkv.split(width, dim=2))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(seen.transpose(1, 2).reshape(n, length, width))


class Block(nn.Module):
    """Attention and two linear layers, each behind a LayerNorm and beside a way around."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, L, width) to the same."""
        x = x + self.attention(self.norm1(x))
        return x + self.narrow(F.gelu(self.widen(self.norm2(x))))


class Transformer(nn.Module):
    """A transformer that predicts the next of the characters it has seen."""

    def __init__(self, vocabulary: int, layers: int, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, characters: Tensor) -> Tensor:
        """Map the numbers of characters (N, L) to scores of the next ones (N, L, vocabulary)."""
        x = self.tokens(characters) + self.positions(arange(characters.shape[1]))
        return self.head(self.norm(self.blocks(x)))
