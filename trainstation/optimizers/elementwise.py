"""What the C operations mean in NumPy, where NumPy's own function of the same name differs at NaN or zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["maximum"]


def maximum(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the larger of two elements; a NaN on either side stays, and of equal ones (+0 and -0) the second."""
    return np.where(a > b, a, np.where(a != a, a, b))  # noqa: PLR0124  # a != a finds NaN
