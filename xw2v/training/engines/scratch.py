"""How much memory the array engine wants beside the tables, counted from its arrays, rounded up.

A test compares it with what NumPy really allocates. Letters: T centres a step, b a group, C = b + 2m contexts and S
noise words of one, V words, D vector size.
"""

from __future__ import annotations

from xw2v.config import Config

__all__ = ["bytes_a_token", "centers_at_once", "in_pairs", "pairs_a_center", "scratch_bytes"]

_SLOTS = 1 << 22  # places in windows that are looked at together, where steps allow it
_COPIES = 4  # of a step's rows: gathered, their gradients, sums of repeated words, and what is on its way


def scratch_bytes(
    config: Config, T: int, S: int, V: int, D: int, tokens: int, softmax_block: tuple[int, int] | None
) -> int:
    """Most bytes that hold a chunk of so many tokens and one step.

    Parameters
    ----------
    softmax_block : (rows, tile) or None    centres and words whose scores are held at a time, for the exact softmax
    """
    chunk = tokens * bytes_a_token(config, S)
    if in_pairs(config):
        chunk += 100 * config.window * min(tokens, centers_at_once(config, T))
        return chunk + 4 * T * pairs_a_center(config) * _COPIES * (2 + config.negative) * D
    b, C = config.group_size, config.group_size + 2 * config.window
    S = S if softmax_block is None else 0
    groups = -(-T // b)
    step = 4 * groups * (_COPIES * (b + C + S) * D + 6 * b * (C + S))
    return chunk + step + (0 if softmax_block is None else _softmax(T, V, D, *softmax_block))


def bytes_a_token(config: Config, S: int) -> int:
    """What each token of a chunk takes, before subsampling."""
    if in_pairs(config):
        return 120
    b, C = config.group_size, config.group_size + 2 * config.window
    S = S if config.loss == "negative_sampling" else 0
    # Draws are 64 bits, and several of them are alive at once; then windows, a byte for each centre and context.
    return 50 + max(80, 5 * C, C + 40 * -(-S // b))


def centers_at_once(config: Config, T: int) -> int:
    """Centres, of whole steps, whose pairs are listed together: with wide windows few steps, for memory's sake."""
    return T * max(1, _SLOTS // (2 * config.window * T))


def pairs_a_center(config: Config) -> int:
    """How many outside words a centre has on average."""
    return config.window + 1 if config.shrink_windows else 2 * config.window


def in_pairs(config: Config) -> bool:
    """Whether a step is one of pairs with noise words of their own, not of groups."""
    return config.loss == "negative_sampling" and config.negatives == "pair"


def _softmax(T: int, V: int, D: int, rows: int, tile: int) -> int:
    """Gradients of a whole table: their sum, that of one block, and those of tiles before they are joined."""
    tables = 2 + (rows < T) + (tile < V)
    return 4 * (tables * V * D + 3 * min(rows, T) * min(tile, V))
