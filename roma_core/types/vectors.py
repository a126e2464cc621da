"""Arrays of vectors. Apart from the other nouns, as numpy is loaded for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (n, dim), rows of unit length."""
Vector = NDArray[np.float32]
"""Shape (dim,), unit length."""
