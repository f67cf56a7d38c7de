"""Tables in a safetensors file, written from and read into arrays of the host.

8 bytes of header length, a JSON header, the tables end to end, as safetensors says. What is read is not
trusted: nothing is allocated for a header before it was compared with the size of the file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from xw2v.errors import FormatError
from xw2v.files import reading
from xw2v.parallel import in_parallel

__all__ = ["first_bad_row", "read_tensors", "write_tensors"]

_BLOCK = 2**26  # bytes written at a time
_HEADER_LIMIT = 2**20  # bytes; ours have a few thousand
_CODES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "u1"}
_DTYPES: dict[str, np.dtype[Any]] = {name: np.dtype(code) for name, code in _CODES.items()}
_NAMES = {"F16": "2-D float16", "F32": "2-D float32", "F64": "2-D float64", "I64": "1-D int64", "U8": "1-D uint8"}

Table = npt.NDArray[Any]


def first_bad_row(vectors: npt.NDArray[Any], workers: int = 1) -> int | None:
    """Row of the first NaN or infinite value in a (V, D) array, None where all are finite; looked for by threads."""
    rows = max(1, 2**18 // max(1, vectors.shape[1]))

    def bad_row(start: int) -> int | None:
        for begin in range(start, min(start + 16 * rows, len(vectors)), rows):
            block = vectors[begin : begin + rows]
            with np.errstate(over="ignore", invalid="ignore"):
                # A sum is finite only if every number is, and takes a third of the time of looking at each.
                if np.isfinite(block.sum()):
                    continue
            finite = np.isfinite(block)
            if not finite.all():
                return begin + int(np.argmin(finite.all(axis=1)))
        return None

    jobs = (partial(bad_row, start) for start in range(0, len(vectors), 16 * rows))
    return next((row for row in in_parallel(jobs, workers) if row is not None), None)


def write_tensors(
    file: BinaryIO,
    arrays: Mapping[str, Table],
    metadata: Mapping[str, str] | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write C-ordered little-endian tables of float32 or float64, rows of int64 or uint8, and strings beside them.

    Wider numbers should come first: what follows an odd number of bytes is not aligned. `tell` is called with the
    bytes of tables that are written, and all of them.
    """
    kinds = {dtype: kind for kind, dtype in _DTYPES.items()}
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    end = 0
    for name, array in arrays.items():
        span = [end, end + array.nbytes]
        header[name] = {"dtype": kinds[array.dtype], "shape": list(array.shape), "data_offsets": span}
        end += array.nbytes
    text = json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % 8)  # so that a mapped table is aligned
    file.write(len(text).to_bytes(8, "little") + text)
    done = 0
    for array in arrays.values():
        # A view, not `tobytes`: the tables may fill half of the memory.
        view = array.reshape(-1).view(np.uint8).data
        for start in range(0, len(view), _BLOCK):
            done += file.write(view[start : start + _BLOCK])
            tell(done, end)


def read_tensors(
    path: Path, mmap: bool, kinds: Sequence[str] = ("F32",)
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """The tables of a safetensors file, mapped or read, after every size in its header was checked.

    Parameters
    ----------
    mmap : map the tables, read-only, instead of reading them into memory
    kinds : the dtypes that may be there, in safetensors' names

    Returns
    -------
    tables : {name: array}, floats (rows, columns) and integers (n,)
    metadata : {name: string}

    Raises
    ------
    MissingFileError   there is no such file.
    FormatError   it is not such a file, or damaged.
    """
    with reading(path), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _HEADER_LIMIT):
            msg = f"{path} is not a safetensors file: its {size} bytes begin with a header length of {length}"
            raise FormatError(msg)
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            msg = f"{path} is not a safetensors file: its header is not JSON ({error})"
            raise FormatError(msg) from error
        found = _check_header(header, size - 8 - length, path, kinds)
        tables: dict[str, Table] = {}
        for name, (dtype, shape, begin) in found.items():
            offset, count = 8 + length + begin, math.prod(shape)
            if count == 0:
                tables[name] = np.empty(shape, dtype)
            elif mmap:
                # asarray: a plain view, so that no caller meets np.memmap's own behaviour
                tables[name] = np.asarray(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape))
            else:
                file.seek(offset)
                numbers = np.fromfile(file, dtype=dtype, count=count)
                if len(numbers) != count:
                    msg = f"{path} became shorter while it was read"
                    raise FormatError(msg)
                tables[name] = numbers.reshape(shape)
    return tables, _metadata(header, path)


def _metadata(header: Any, path: Path) -> dict[str, str]:
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        msg = f"{path}: the metadata are not strings; the file is damaged"
        raise FormatError(msg)
    return metadata


def _check_header(
    header: Any, data_size: int, path: Path, kinds: Sequence[str]
) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], int]]:
    """{name: (dtype, shape, first byte)} of a header whose tables fill `data_size` bytes exactly."""
    found: dict[str, tuple[np.dtype[Any], tuple[int, ...], int]] = {}
    spans = []
    try:
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            if kind not in kinds or any(type(size) is not int or size < 0 for size in (*shape, begin, end)):
                raise ValueError(repr(name[:40]))
            dtype = _DTYPES[kind]
            rest = shape[1:]  # of a table the columns, of which there must be some
            if len(rest) != (dtype.kind == "f") or 0 in rest or end - begin != dtype.itemsize * math.prod(shape):
                raise ValueError(repr(name[:40]))
            found[name] = (dtype, shape, begin)
            spans.append((begin, end))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        wanted = " or ".join(_NAMES[kind] for kind in kinds)
        msg = f"{path}: a table is not {wanted} with a size that fits its shape ({error}); the file is damaged"
        raise FormatError(msg) from error
    edges = sorted(spans)
    if [0, *(end for _, end in edges)] != [*(begin for begin, _ in edges), data_size]:
        msg = f"{path}: the tables do not fill the file's {data_size} bytes of data; it is cut off or damaged"
        raise FormatError(msg)
    return found
