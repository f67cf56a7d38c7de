"""Known corpora from the network: downloaded once, checked, unpacked, kept in the user's cache folder.

CACHE/text8.zip         as the source has it; its sha256 is known. Put there by hand it does as well.
CACHE/text8.zip.part    what was received before a download broke off; the next one goes on there
CACHE/text8/text8       the text
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from xw2v.errors import CorpusError, FormatError, MissingFileError
from xw2v.files import PathLike, atomic_write, locked, writing
from xw2v.text.datasets import DATASETS, Dataset

__all__ = ["cache_folder", "download", "downloaded_path"]

Report = Callable[[int, "int | None"], None]
"""Called with the bytes received and those in all, None where the server does not say."""

CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 30.0
_CHUNK = 1 << 14  # of the last one what had arrived is lost when a connection breaks


def cache_folder() -> Path:
    """Where downloads are kept: $XW2V_DATA, or "xw2v" in the user's cache folder."""
    import pooch

    return Path(os.environ.get("XW2V_DATA") or pooch.os_cache("xw2v"))


def downloaded_path(name: str, folder: PathLike | None = None) -> Path:
    """The text of a known corpus that was downloaded before.

    Raises
    ------
    CorpusError        no such corpus, or one that is built in
    MissingFileError   it was not downloaded yet
    """
    dataset = _known(name)
    path = _text_path(dataset, Path(folder) if folder is not None else cache_folder())
    if not path.is_file():
        msg = f"{name} is not there yet: xw2v data get {name}"
        raise MissingFileError(msg)
    return path


def download(name: str | Dataset, folder: PathLike | None = None, report: Report | None = None) -> Path:
    """The text of a known corpus, downloaded and unpacked where it is not there yet.

    Parameters
    ----------
    folder : where to keep it; by default `cache_folder()`
    report : called while bytes arrive

    Raises
    ------
    CorpusError       no such corpus; or the source cannot be reached, which says where to put the file by hand
    FormatError       what arrived is not what is known of it
    FileAccessError   it cannot be written, or another process is downloading it
    """
    import pooch

    dataset = _known(name) if isinstance(name, str) else name
    root = Path(folder) if folder is not None else cache_folder()
    text = _text_path(dataset, root)
    if text.is_file():
        return text
    archive = root / _archive_name(dataset)
    pooch.get_logger().setLevel(logging.WARNING)
    with writing(root), ExitStack() as lock:
        root.mkdir(parents=True, exist_ok=True)
        lock.enter_context(locked(root / f".{archive.name}.lock", str(archive)))  # two would mix what they receive
        try:
            pooch.retrieve(dataset.url, f"sha256:{dataset.sha256}", archive.name, root,
                           downloader=_Resuming(archive, report))  # fmt: skip
        except ValueError as error:
            msg = f"{dataset.url} sent another file than the known one of {dataset.name}: its sha256 differs"
            raise FormatError(msg) from error
        except _UnreachableError as error:
            msg = (
                f"cannot download {dataset.name} from {dataset.url} ({error}); without a network put the file "
                f"at {archive} and run this again"
            )
            raise CorpusError(msg) from error
        _unpack(dataset, archive, text)
    return text


def _known(name: str) -> Dataset:
    dataset = DATASETS.get(name)
    if dataset is None or dataset.built_in:
        downloads = ", ".join(known.name for known in DATASETS.values() if not known.built_in)
        what = "no known corpus" if dataset is None else "built in and needs no download"
        msg = f"{name!r} is {what}; to be downloaded are: {downloads}"
        raise CorpusError(msg)
    return dataset


def _archive_name(dataset: Dataset) -> str:
    return str(dataset.url).rsplit("/", 1)[-1]


def _text_path(dataset: Dataset, root: Path) -> Path:
    return root / dataset.name / Path(str(dataset.member)).name


class _UnreachableError(Exception):
    """The source does not answer, or stopped in the middle."""


class _Resuming:
    """Downloads for pooch, which checks and moves the file. What arrived is kept until the file is whole."""

    def __init__(self, archive: Path, report: Report | None) -> None:
        self.part = archive.with_name(archive.name + ".part")
        self.report = report

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        del pooch, check_only
        import requests

        try:
            self._receive(url)
        except requests.HTTPError as error:
            msg = f"it answers {error.args[0].partition(' for url')[0]}"
            raise _UnreachableError(msg) from error
        except requests.Timeout as error:
            msg = f"nothing came for {SILENCE_SECONDS:g} seconds"
            raise _UnreachableError(msg) from error
        except requests.RequestException as error:
            kept = self.part.stat().st_size if self.part.exists() else 0
            msg = f"the connection failed{f' after {kept:,} bytes, which are kept' if kept else ''}"
            raise _UnreachableError(msg) from error
        shutil.move(self.part, output_file)

    def _receive(self, url: str) -> None:
        import requests

        start = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Range": f"bytes={start}-"} if start else {}
        with requests.get(url, stream=True, timeout=(CONNECT_SECONDS, SILENCE_SECONDS), headers=headers) as response:
            if start and response.status_code == requests.codes.requested_range_not_satisfiable:
                self.part.unlink()  # the rest is not there: it is another file, or was whole
                self._receive(url)
                return
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                start = 0  # the server sends the whole
            length = response.headers.get("Content-Length")
            total = None if length is None else start + int(length)
            with self.part.open("ab" if start else "wb") as file:
                for block in response.iter_content(_CHUNK):
                    file.write(block)
                    if self.report is not None:
                        self.report(file.tell(), total)
                size = file.tell()
            if total is not None and size < total:
                msg = f"{size} of {total} bytes"
                raise requests.ConnectionError(msg)


def _unpack(dataset: Dataset, archive: Path, text: Path) -> None:
    """Write the member of a checked archive that holds the text."""
    text.parent.mkdir(exist_ok=True)
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with zipfile.ZipFile(archive) as whole, whole.open(str(dataset.member)) as member, atomic_write(text) as file:
            while block := member.read(_CHUNK):
                digest.update(block)
                file.write(block)
            if dataset.member_md5 not in (None, digest.hexdigest()):
                msg = f"{dataset.member} in {archive} is not the known text (its md5 differs)"
                raise FormatError(msg)
    except (zipfile.BadZipFile, KeyError) as error:
        msg = f"{archive} does not hold {dataset.member} ({error}); delete it and try again"
        raise FormatError(msg) from error
