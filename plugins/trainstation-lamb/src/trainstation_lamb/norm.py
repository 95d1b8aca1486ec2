"""What both optimizers measure."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import squares


def norm(x: NDArray[Any]) -> float:
    """Return the Euclidean norm of all elements, added up in double."""
    return sqrt(squares(np.ascontiguousarray(x)))
