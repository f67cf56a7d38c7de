"""Lists and dicts that stay as they are: equal to any others, and refused where somebody would change them."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

__all__ = ["FixedDict", "FixedList"]

T = TypeVar("T")


def _refuse(*_: Any, **__: Any) -> NoReturn:
    msg = (
        "words and their rows stay as they are: change a copy, list(wv.index_to_key) or dict(wv.key_to_index), or make "
        "other vectors, WordVectors(words, vectors)"
    )
    raise TypeError(msg)


class FixedList(list[T]):
    """A list that cannot be changed; a copy of it is any list."""

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __reduce__(self) -> Any:
        """What is pickled or copied: a plain list."""
        return list, (list(self),)


class FixedDict(dict[str, int]):
    """A dict that cannot be changed; a copy of it is any dict."""

    clear = pop = popitem = setdefault = update = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse

    def __reduce__(self) -> Any:
        """What is pickled or copied: a plain dict."""
        return dict, (dict(self),)
