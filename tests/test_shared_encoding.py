"""A corpus that several processes read together: the bytes of one process, whoever helps, fails or is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_distributed import needs_mpi, run, told
from xw2v.shared_encoding import shared_out
from xw2v.text import encode

WORDS = [900, 2000, 1400, 500, 0, 700, 1200]  # of each file; number 4 goes with number 3
PARTS = [0, 1, 2, 3, 4, 5]
SHARES = {1: [PARTS], 2: [[0, 1, 3], [2, 4, 5]], 3: [[1, 3], [2, 4], [0, 5]]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of texts with words of their own and common ones; each that is not empty is a part."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, size in enumerate(WORDS):
        words = rng.geometric(0.02, size) + number
        (folder / f"{number}.txt").write_text("\n".join(" ".join(f"w{word:04}" for word in words[i::20])
                                                        for i in range(20)).strip())  # fmt: skip
    return folder


# What every script begins with: `kept` are the parts that this rank writes.
SCRIPT = """
import contextlib, itertools
import xw2v.shared_encoding as shared_encoding
from xw2v import errors
from xw2v.distributed import encoded_once_a_node, join
from xw2v.text import encode, encoding, parts
parts.PART_BYTES, parts.MOST_PARTS = 1, 1000
ranks = join(comm)
kept, shown, notes = [], [], []
keep = parts.FolderWorkspace.keep
def noting(self, number, part):
    keep(self, number, part)
    kept.append(number)
parts.FolderWorkspace.keep = noting

def shared(corpus=folder / "texts", place=folder / "e", **how):
    note, progress = notes.append, lambda *what: shown.append(what)
    with encoded_once_a_node(ranks, corpus, place, note, progress=progress, **({"min_count": 3} | how)) as found:
        return len(found.ids), found.reused, str(found.folder)

def everybody(*facts):
    found = comm.gather(facts)
    say(found)
"""


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def gathered(n: int, script: str, folder: Path) -> Any:
    """What each rank has to say, item by item."""
    return list(zip(*told(n, SCRIPT + script, folder), strict=True))


def check(folder: Path, **how: Any) -> None:
    """The corpus is that of one process, and nothing else is left."""
    encode(folder / "texts", folder / "whole", **({"min_count": 3} | how))
    assert content(folder / "e") == content(folder / "whole")
    assert sorted(path.name for path in folder.iterdir()) == ["e", "script.py", "texts", "whole"]


def test_shared_out() -> None:
    assert shared_out([], 2) == [[], []]
    assert shared_out([(3, 5), (7, 5)], 3) == [[3], [7], []]
    assert shared_out([(0, 1), (1, 9), (2, 3), (4, 3), (5, 4)], 2) == [[0, 1], [2, 4, 5]]
    for n, shares in SHARES.items():
        sizes = [size for size in WORDS if size]
        assert shared_out(list(enumerate(sizes)), n) == shares


@needs_mpi
@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_rank_reads_its_share(n: int, source: Path) -> None:
    kept, ids, shown, notes = gathered(n, "facts = shared()\neverybody(kept, facts, shown, notes)", source.parent)
    check(source.parent)
    assert list(kept) == SHARES[n]
    numbers = len((source.parent / "e" / "ids.int32").read_bytes()) // 4
    assert ids == ([numbers, False, str(source.parent / "e")],) * n
    assert not any(shown[1:])  # rank 0 alone shows
    assert not any(notes[1:])
    sizes = [path.stat().st_size for path in sorted(source.iterdir())]
    whole, mine = sum(sizes), sum(sizes[[0, 1, 2, 3, 5, 6][part]] for part in kept[0])
    blocks = 2 * len(kept[0])  # the last word of a file is a block of its own
    read, numbered = shown[0][:blocks], shown[0][blocks:]
    assert {total for _, total, _ in read} == {mine}
    assert read[-1][0] == mine
    assert {total for _, total, _ in numbered} == {whole}
    assert shown[0][-1] == [whole, whole, sum(WORDS)]
    assert (notes[0] == []) == (n == 1)
    assert all(note.startswith(f"{n} ranks read the text, 0 of 0 MB") for note in notes[0])


@needs_mpi
def test_also_where_it_is_for_a_while(source: Path) -> None:
    script = """
import tempfile
tempfile.tempdir = str(folder)
number, _, place = shared(place=None)
everybody(kept, [number, place])
"""
    kept, facts = gathered(2, script, source.parent)
    assert list(kept) == SHARES[2]
    assert facts[0] == facts[1]
    assert not Path(facts[0][1]).exists()
    assert facts[0][0] == len(encode(source, min_count=3).ids)


@needs_mpi
def test_a_file_that_is_no_text_ends_all_and_costs_the_others_nothing(source: Path) -> None:
    script = """
errors = []
try:
    shared()
except Exception as error:
    errors.append(f"{type(error).__name__}: {error}")
everybody(kept, errors, ranks.settled)
"""
    good = (source / "6.txt").read_bytes()  # the last part that rank 2 reads
    (source / "6.txt").write_bytes(b"\xff" * len(good))
    kept, errors, settled = gathered(3, script, source.parent)
    wrong = f"{source / '6.txt'} is not UTF-8 text: wrong byte 0xff at byte 0;"
    assert errors[2][0].startswith(f"CorpusError: {wrong}")
    assert errors[0] == errors[1]
    assert errors[0][0].startswith(f"CorpusError: rank 2 of 3: {wrong}")
    assert settled == (True,) * 3
    assert list(kept) == [[1, 3], [2, 4], []]
    assert not (source.parent / "e").exists()
    left = [f"part-{number:05}.{ending}" for number in (1, 2, 3, 4) for ending in ("data", "json")]
    assert sorted(path.name for path in (source.parent / "e.encoding").iterdir()) == left
    (source / "6.txt").write_bytes(good)
    kept, _ = gathered(2, "shared()\neverybody(kept, 0)", source.parent)
    assert list(kept) == [[5], [0]]
    check(source.parent)


@needs_mpi
def test_a_part_that_is_damaged_or_missing_is_read_by_rank_0(source: Path) -> None:
    script = """
write = shared_encoding.write_parts
def damaging(source, place, numbers, *more):
    write(source, place, numbers, *more)
    if rank == 1:
        os.truncate(place / f"part-{numbers[0]:05}.data", 100)
    elif rank == 2:
        (place / f"part-{numbers[1]:05}.json").unlink()
shared_encoding.write_parts = damaging
shared()
everybody(kept)
"""
    (kept,) = gathered(3, script, source.parent)
    check(source.parent)
    assert list(kept) == [[1, 3, 2, 5], [2, 4], [0, 5]]


@needs_mpi
@pytest.mark.parametrize("killed", [0, 1])
def test_after_a_kill_others_go_on(killed: int, source: Path) -> None:
    script = f"""
def dying(self, number, part):
    noting(self, number, part)
    if rank == {killed}:
        self.new_part({SHARES[2][killed][1]}).spool.append(np.zeros(9), "<i4")
        os.kill(os.getpid(), signal.SIGKILL)
parts.FolderWorkspace.keep = dying
shared()
"""
    status, _, _ = run(2, SCRIPT + script, source.parent)
    assert status != 0
    assert not (source.parent / "e").exists()
    left = sorted(int(path.stem[5:]) for path in (source.parent / "e.encoding").glob("part-*.json"))
    assert SHARES[2][killed][0] in left
    kept, _ = gathered(3, "shared()\neverybody(kept, 0)", source.parent)
    check(source.parent)
    assert sorted(number for some in kept for number in some) == sorted(set(PARTS) - set(left))


@needs_mpi
def test_meanwhile_others_are_refused(source: Path) -> None:
    script = """
write, refused = shared_encoding.write_parts, []
def meanwhile(*arguments):
    if rank == 1:
        try:
            encode(folder / "texts", folder / "e", min_count=3)
        except errors.FileAccessError as error:
            refused.append(str(error))
    write(*arguments)
shared_encoding.write_parts = meanwhile
shared()
everybody(refused)
"""
    (refused,) = gathered(2, script, source.parent)
    check(source.parent)
    assert refused[0] == []
    assert refused[1][0].startswith(f"another process is working on {source.parent / 'e'}; wait for it")


@needs_mpi
def test_ranks_that_see_other_files_or_no_folder_do_not_help(source: Path) -> None:
    script = """
access = os.access
if rank == 1:
    os.access = lambda *_: False
(folder / f"texts{rank}").symlink_to(folder / "texts") if rank == 0 else None
comm.barrier()
shared(folder / ("nothing" if rank == 2 else "texts/[0-3].txt" if rank == 3 else "texts"))
everybody(kept)
(folder / "texts0").unlink() if rank == 0 else None
"""
    (kept,) = gathered(5, script, source.parent)
    check(source.parent)
    assert list(kept) == [SHARES[2][0], [], [], [], SHARES[2][1]]


@needs_mpi
def test_no_more_ranks_help_than_the_memory_is_enough_for(source: Path) -> None:
    (kept,) = gathered(3, "shared(memory='64M')\neverybody(kept)", source.parent)
    check(source.parent)
    assert list(kept) == [*SHARES[2], []]


@needs_mpi
@pytest.mark.parametrize("why", ["two passes", "little", "lists", "there already"])
def test_what_is_not_shared(why: str, source: Path) -> None:
    script = {
        "two passes": "shared(max_vocab_size=10**4)",
        "little": "parts.PART_BYTES = 10**9; shared()",
        "lists": """
def sentences():
    assert rank == 0
    for path in sorted((folder / "texts").iterdir()):
        yield from map(str.split, path.read_text().splitlines())
shared(sentences())
""",
        "there already": "shared() if comm.barrier() is None else 0; kept.clear(); assert shared()[1] == (rank == 0)",
    }[why]
    kept, _ = gathered(2, script + "\neverybody(kept, 0)", source.parent)
    assert kept[1] == []
    assert kept[0] == {"two passes": PARTS, "there already": []}.get(why, [0])
    if why != "lists":
        check(source.parent, **({"max_vocab_size": 10**4} if why == "two passes" else {}))


# Two nodes with two ranks each, as far as the ranks know.
NODES = "ranks.leader, ranks.local_rank, ranks.local_size = rank // 2 * 2, rank % 2, 2\n"


@needs_mpi
def test_nodes_that_share_a_folder_encode_once(source: Path) -> None:
    kept, facts = gathered(4, NODES + "facts = shared()\neverybody(kept, facts)", source.parent)
    check(source.parent)
    assert list(kept) == [[1], [2], [3, 5], [0, 4]]
    assert [reused for _, reused, _ in facts] == [
        False,
        False,
        True,
        False,
    ]  # node 2's first rank looks whether it is there


@needs_mpi
@pytest.mark.parametrize("place", ["folder / f'e{ranks.leader}'", "None"])
def test_nodes_that_do_not_encode_once_each(place: str, source: Path) -> None:
    script = f"""
import tempfile
tempfile.tempdir = str(folder)
access = os.access
os.access = lambda path, mode: (str(path).startswith(str(folder / f"e{{ranks.leader}}.encoding"))
                                or {place} is None) and access(path, mode)
number, _, place = shared(place={place})
everybody(kept, number, place)
"""
    kept, numbers, places = gathered(4, NODES + script, source.parent)
    assert list(kept) == SHARES[2] * 2
    assert set(numbers) == {len(encode(source, min_count=3).ids)}
    assert places[0] == places[1] != places[2] == places[3]


@needs_mpi
def test_who_trains_is_told(source: Path) -> None:
    script = """
model = Word2Vec(**OPTIONS | {"epochs": 1}).fit(folder / "texts", distributed=True, on_note=notes.append)
everybody(kept, notes)
"""
    kept, notes = gathered(2, script, source.parent)
    assert list(kept) == SHARES[2]
    notes = [[note for note in told if not note.startswith("compiling")] for told in notes]  # on a new machine
    assert notes[0][0].startswith("2 ranks read the text, ")
    assert not notes[1]
