"""Arrays of vectors. Separate from the other nouns, because importing them loads numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (n, dim), rows of unit length."""
Vector = NDArray[np.float32]
"""Shape (dim,), unit length."""
