"""A corpus encoded by many processes: each reads and counts some of its files, one makes the encoded corpus of all.

What is shared out is the first pass, which reads the text: its parts (see `xw2v.text.parts`) are written into one
folder by all ranks that see it. The rank that began the encoding, and holds its lock, then goes on as after an
interruption: it takes over the parts that are whole, reads those that are not, and merges the counts. So the corpus is
that of a single process, byte for byte, and a rank that does not help costs time alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from xw2v.errors import XW2VError
from xw2v.parallel import usable_cores
from xw2v.text.encoder import OnEncode
from xw2v.text.encoding import EncodeOptions, Encoding, encoding, write_parts
from xw2v.text.memory import LEAST, memory_bytes
from xw2v.text.readers import Source, default_workers
from xw2v.text.spool import reporting
from xw2v.text.store import EncodedCorpus
from xw2v.training.distributed.ranks import MpiRanks, sharing_cores

__all__ = ["encoded_together", "shared_out"]


class _Offer(NamedTuple):
    """What the rank that has begun an encoding asks others to help with.

    mark : a file in the folder of the parts, under a name that is nowhere else: who sees it sees the folder
    source : of the files and of how they are read; who sees the same files computes the same
    parts : number and bytes of each part that is missing
    """

    mark: str
    source: str
    parts: list[tuple[int, int]]


def encoded_together(
    ranks: MpiRanks,
    host: int | None,
    corpus: Any,
    folder: str,
    options: EncodeOptions,
    progress: OnEncode | None,
    on_note: Callable[[str], None] | None,
) -> EncodedCorpus | None:
    """The corpus on the ranks that are their own `host`, None on the others, which help. All ranks call it.

    Parameters
    ----------
    host : the rank that encodes into `folder`, and that this one may help; None: this one does nothing
    progress : called by hosts alone, at first about the share that they read themselves

    Raises
    ------
    As `encode`, on all ranks.
    """
    leads = ranks.rank == host
    sharing = sharing_cores(ranks)
    with ExitStack() as stack:
        work = ranks.together(lambda: stack.enter_context(encoding(corpus, folder, options)) if leads else None)
        offers = ranks.texts(ranks.together(lambda: _offered(work) if work is not None and ranks.size > 1 else ""))
        offer = _Offer(*json.loads(offers[host])) if host is not None and offers[host] else None
        seen = ranks.together(lambda: None if offer is None else _seen(offer, corpus, options, ranks, sharing))
        answers = ranks.texts("" if seen is None else str(host))
        helpers = [rank for rank, answer in enumerate(answers) if answer == str(host)]

        def read() -> None:
            if offer is None or seen is None or len(helpers) < 2:
                return
            mine = shared_out(offer.parts, len(helpers))[helpers.index(ranks.rank)]
            if leads and on_note is not None:
                on_note(_described(offer, mine, len(helpers)))
            source, room = seen
            write_parts(source, Path(offer.mark).parent, mine, room, options.reading, progress if leads else None)

        def finished() -> EncodedCorpus | None:
            if work is None:
                return None
            if work.workspace is not None and offer is not None:
                work.workspace.take_over(number for number, _ in offer.parts)
            work.finish(progress)
            stack.close()
            return work.corpus()

        ranks.together(read)
        return ranks.together(finished)


def shared_out(parts: Sequence[tuple[int, int]], n: int) -> list[list[int]]:
    """The numbers, rising, of the parts that each of n ranks reads: the largest first, to whom has the fewest bytes.

    Parameters
    ----------
    parts : (number, bytes) of each
    """
    shares: list[list[int]] = [[] for _ in range(n)]
    held = [0] * n
    for number, size in sorted(parts, key=lambda part: (-part[1], part[0])):
        least = held.index(min(held))
        shares[least].append(number)
        held[least] += size
    return [sorted(share) for share in shares]


def _offered(work: Encoding) -> str:
    """An offer as text; empty where there is nothing to share out."""
    numbers = work.missing()
    if work.workspace is None or len(numbers) < 2:
        return ""
    mark = work.workspace.folder / f".xw2v-{secrets.token_hex(16)}.tmp"
    with reporting("written", mark.parent):
        mark.touch()
    parts = [(number, work.workspace.bytes_of([number])) for number in numbers]
    return json.dumps(_Offer(str(mark), _identity(work.source, work.workspace.reading), parts))


def _described(offer: _Offer, mine: Sequence[int], helpers: int) -> str:
    sizes = dict(offer.parts)
    here, whole = (sum(sizes[number] for number in some) / 1e6 for some in (mine, sizes))
    return f"{helpers} ranks read the text, {here:,.0f} of {whole:,.0f} MB here"


def _identity(source: Source, reading: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([source.stamps, reading], sort_keys=True).encode()).hexdigest()


def _seen(
    offer: _Offer, corpus: Any, options: EncodeOptions, ranks: MpiRanks, sharing: int
) -> tuple[Source, int] | None:
    """The source, ready to be read with this rank's share of cores and memory, and the room for words of that share.

    None where this rank does not see the same folder or files, or the node's other ranks have all the memory that
    may be taken.
    """
    readers = min(ranks.local_size, max(1, memory_bytes(options.memory) // LEAST))
    if ranks.local_rank >= readers or not os.access(offer.mark, os.W_OK):
        return None
    workers = max(1, min(default_workers(), usable_cores() // min(sharing, readers)))
    try:
        source, share = options.opened(corpus, workers, readers)
    except (XW2VError, OSError):  # the files are not here
        return None
    return (source, share.words) if _identity(source, options.reading) == offer.source else None
