"""Words as one run of bytes, as a model folder keeps them: one is found without making a million strings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xw2v.errors import FormatError
from xw2v.order import falls

__all__ = ["PackedWords"]


class PackedWords:
    """V words end to end.

    Parameters
    ----------
    text : (N,) uint8        the words in UTF-8, lone surrogates as in Python's "surrogatepass"
    ends : (V,) int64        where each word ends in `text`

    Raises
    ------
    FormatError   the ends do not rise from 0 or more to N.

    Examples
    --------
    >>> words = PackedWords.of(["king", "queen", ""])
    >>> words.find("queen"), words.find("king "), words[1], words.tolist()
    (1, None, 'queen', ['king', 'queen', ''])
    """

    def __init__(self, text: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> None:
        self.text, self.ends = text, ends
        self._starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else ends
        self._lengths = ends - self._starts
        last = int(ends[-1]) if len(ends) else 0
        if last != len(text) or (len(ends) and ends[0] < 0) or falls(ends):
            msg = f"the ends of the words do not rise to the {len(text)} bytes of text"
            raise FormatError(msg)

    @classmethod
    def of(cls, words: Sequence[str]) -> PackedWords:
        """Pack words; any characters."""
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> str:
        return self._decode(self._bytes(row))

    def _bytes(self, row: int) -> bytes:
        return self.text[int(self._starts[row]) : int(self.ends[row])].tobytes()

    def tolist(self) -> list[str]:
        """All V words."""
        data = self.text.tobytes()
        places = zip(self._starts.tolist(), self.ends.tolist(), strict=True)
        return [self._decode(data[start:end]) for start, end in places]

    def find(self, word: str) -> int | None:
        """The first row of a word, None where it is not there; looks at all words of its length at once."""
        letters = word.encode("utf-8", "surrogatepass")
        rows = np.flatnonzero(self._lengths == len(letters))
        for place in reversed(range(len(letters))):  # words that are numbered differ at their ends
            if len(rows) < 2:
                break
            rows = rows[self.text[self._starts[rows] + place] == letters[place]]
        found = int(rows[0]) if len(rows) else None
        return None if found is None or self._bytes(found) != letters else found

    @staticmethod
    def _decode(word: bytes) -> str:
        try:
            return word.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            msg = f"a word of the model is not UTF-8: {word[:40]!r}; the file is damaged"
            raise FormatError(msg) from error
