"""What the array API standard lacks, for each array library, and the choice between them.

The standard has no scatter-add, no transfer to the host, no synchronisation and no question about memory.
A `Backend` adds just these to a namespace `xp`.
"""

from xw2v.backend.base import Backend
from xw2v.backend.choice import get_backend
from xw2v.backend.cupy_backend import CupyBackend
from xw2v.backend.numpy_backend import NumpyBackend

__all__ = ["Backend", "CupyBackend", "NumpyBackend", "get_backend"]
