"""The least work that carries one heap of words onto another: the earth mover's distance. Arrays in, a number out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["least_work"]

FloatArray = npt.NDArray[np.float64]


def least_work(supply: FloatArray, demand: FloatArray, costs: FloatArray) -> float:
    """The least sum of amounts carried times their costs (Kusner et al. 2015, "Word Mover's Distance").

    Parameters
    ----------
    supply, demand : (m,) and (n,) amounts that add up to the same
    costs : (m, n) of carrying a unit from each place to each

    >>> import numpy as np
    >>> least_work(np.array([0.5, 0.5]), np.array([1.0]), np.array([[1.0], [3.0]]))
    2.0
    """
    from scipy import sparse
    from scipy.optimize import linprog

    m, n = costs.shape
    leaving = sparse.kron(sparse.eye_array(m), np.ones((1, n)))
    arriving = sparse.kron(np.ones((1, m)), sparse.eye_array(n))
    # One equation follows from the others, and their rounding must not contradict it.
    balance: Any = sparse.vstack([leaving, arriving], format="csc")[:-1]
    scale = float(costs.max()) or 1.0  # the solver takes large costs for infinite ones, small ones for nothing
    amounts = np.concatenate([supply, demand])[:-1]
    found: Any = linprog(costs.ravel() / scale, A_eq=balance, b_eq=amounts, method="highs")
    if not found.success:
        msg = f"no least work was found for {m} and {n} words: {found.message}"
        raise ArithmeticError(msg)
    return scale * max(0.0, float(found.fun))
