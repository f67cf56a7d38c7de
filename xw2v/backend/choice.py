"""Which backend is taken, by name or by the arrays that are there."""

from __future__ import annotations

from typing import Any

import array_api_compat

from xw2v.backend.base import Backend
from xw2v.backend.cupy_backend import CupyBackend
from xw2v.backend.numpy_backend import NumpyBackend
from xw2v.errors import BackendError

__all__ = ["get_backend"]


def get_backend(which: Any = "auto", *, device: int = 0, tf32: bool = False) -> Backend:
    """The backend of a name, or of an array.

    Parameters
    ----------
    which : "auto", "numpy", "cupy", or an array of any library that follows the standard
        "auto" takes a GPU where one really works, else NumPy; its `why` says which and why.
    device : int
        number of the GPU, for "cupy" and "auto"
    tf32 : bool
        CuPy's float32 matrix products in TF32, 10 bits of each factor's fraction, until another backend is made. A
        product of rows u and v is off by at most 2^-10 Σ|u_i v_i|

    Raises
    ------
    BackendError   the name is unknown, or no GPU works here

    Examples
    --------
    >>> get_backend("numpy").name
    'numpy'
    """
    if isinstance(which, str):
        return _by_name(which, device, tf32)
    try:
        xp = array_api_compat.array_namespace(which)
    except TypeError:
        msg = f"backend must be 'auto', 'numpy', 'cupy' or an array, got {type(which).__name__}"
        raise BackendError(msg) from None
    if array_api_compat.is_numpy_namespace(xp):
        return NumpyBackend("the arrays are NumPy's")
    if array_api_compat.is_cupy_namespace(xp):
        return CupyBackend("the arrays are CuPy's", device=which.device.id)
    name = xp.__name__.removeprefix("array_api_compat.")
    return Backend(name, xp, array_api_compat.device(which), f"the arrays are of {name}")


def _by_name(name: str, device: int, tf32: bool) -> Backend:
    if name == "numpy":
        return NumpyBackend("asked for")
    if name == "cupy":
        return CupyBackend(device=device, tf32=tf32)
    if name != "auto":
        msg = f"backend must be 'auto', 'numpy' or 'cupy', got {name!r}"
        raise BackendError(msg)
    try:
        return CupyBackend("a GPU works here", device=device, tf32=tf32)
    except BackendError as error:
        reason = str(error).removeprefix("backend 'cupy' ").split(";")[0].split(" (No module")[0]
        return NumpyBackend(f"no GPU backend: it {reason}")
