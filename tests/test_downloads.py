"""Known corpora from a server on this machine: whole, cut off, another file, absent, slow, and none at all."""

from __future__ import annotations

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from xw2v import cli
from xw2v.errors import CorpusError, FileAccessError, FormatError, MissingFileError
from xw2v.files import locked
from xw2v.text import downloads
from xw2v.text.datasets import DATASETS, Dataset
from xw2v.text.downloads import cache_folder, download, downloaded_path

TEXT = b"one two three\n" * 20_000


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole:  # not compressed, so that it is long enough to be cut
        whole.writestr("folder/text", TEXT)
    return file.getvalue()


class Server:
    """A server whose manners a test sets: "good", "cut", "other", "slow" or "whole" (which knows no ranges)."""

    def __init__(self) -> None:
        self.manners = "good"
        self.ranges: list[str | None] = []
        self.content = archive()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                server.ranges.append(self.headers["Range"])
                if self.path != "/text.zip":
                    self.send_error(404)
                    return
                content, start = server.content, 0
                if server.manners == "other":
                    content = content[:-1] + b"!"
                if self.headers["Range"] and server.manners != "whole":
                    start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                    if start >= len(content):
                        self.send_error(416)
                        return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                if server.manners == "cut":
                    self.wfile.write(content[start : start + 100_000])
                    return
                if server.manners == "slow":
                    self.wfile.write(content[start : start + 1000])
                    self.wfile.flush()
                    time.sleep(1.0)
                    return
                self.wfile.write(content[start:])

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/text.zip"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.http.shutdown()
    found.http.server_close()


@pytest.fixture
def known(server: Server) -> Dataset:
    return Dataset(
        name="small", meaning="", url=server.url, sha256=hashlib.sha256(server.content).hexdigest(),
        member="folder/text", member_md5=hashlib.md5(TEXT).hexdigest(),
    )  # fmt: skip


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_good_download_is_unpacked_and_not_fetched_again(server: Server, known: Dataset, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download(known, tmp_path / "cache", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == TEXT
    assert seen[-1] == (len(server.content), len(server.content))
    assert files(tmp_path / "cache") == ["small/text", "text.zip"]
    assert download(known, tmp_path / "cache") == path
    path.unlink()
    assert download(known, tmp_path / "cache").read_bytes() == TEXT  # the archive is still there
    assert len(server.ranges) == 1


@pytest.mark.parametrize("then", ["good", "whole"])
def test_a_download_that_broke_off_goes_on(server: Server, known: Dataset, tmp_path: Path, then: str) -> None:
    server.manners = "cut"
    with pytest.raises(CorpusError, match="the connection failed after 98,304 bytes, which are kept"):
        download(known, tmp_path)
    assert files(tmp_path) == ["text.zip.part"]
    server.manners = then
    assert download(known, tmp_path).read_bytes() == TEXT
    assert server.ranges == [None, "bytes=98304-"]
    assert files(tmp_path) == ["small/text", "text.zip"]


def test_two_do_not_download_into_one_file(server: Server, known: Dataset, tmp_path: Path) -> None:
    with (
        locked(tmp_path / ".text.zip.lock", "text.zip"),
        pytest.raises(FileAccessError, match=r"another process is working on .*text\.zip; wait for it"),
    ):
        download(known, tmp_path)
    assert not server.ranges
    assert download(known, tmp_path).is_file()
    assert not (tmp_path / ".text.zip.lock").exists()


def test_what_is_left_of_another_file_does_no_harm(server: Server, known: Dataset, tmp_path: Path) -> None:
    (tmp_path / "text.zip.part").write_bytes(b"x" * (len(server.content) + 5))
    assert download(known, tmp_path).read_bytes() == TEXT
    assert len(server.ranges) == 2
    (tmp_path / "small" / "text").unlink()
    (tmp_path / "text.zip").unlink()
    (tmp_path / "text.zip.part").write_bytes(b"x" * 1000)
    with pytest.raises(FormatError, match="sha256 differs"):
        download(known, tmp_path)
    assert download(known, tmp_path).read_bytes() == TEXT


def test_another_file_is_not_kept(server: Server, known: Dataset, tmp_path: Path) -> None:
    server.manners = "other"
    with pytest.raises(FormatError, match="sent another file than the known one of small"):
        download(known, tmp_path)
    assert files(tmp_path) == []


def test_another_text_in_the_archive_is_not_kept(known: Dataset, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="md5 differs"):
        download(replace(known, member_md5="0" * 32), tmp_path)
    with pytest.raises(FormatError, match="does not hold nothing"):
        download(replace(known, member="nothing"), tmp_path)
    assert files(tmp_path) == ["text.zip"]


def test_a_file_that_is_not_there(known: Dataset, tmp_path: Path) -> None:
    gone = replace(known, url=str(known.url).replace("text.zip", "gone.zip"))
    with pytest.raises(CorpusError, match=r"answers 404 .*; without a network put the file at .*gone\.zip"):
        download(gone, tmp_path)
    assert files(tmp_path) == []


def test_a_server_that_falls_silent(
    server: Server, known: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.manners = "slow"
    monkeypatch.setattr(downloads, "SILENCE_SECONDS", 0.2)
    with pytest.raises(CorpusError, match=r"nothing came for|the connection failed"):
        download(known, tmp_path)
    assert files(tmp_path) == ["text.zip.part"]
    server.manners = "good"
    assert download(known, tmp_path).read_bytes() == TEXT


def test_without_a_network(known: Dataset, tmp_path: Path) -> None:
    nobody = replace(known, url="http://127.0.0.1:9/text.zip")
    with pytest.raises(CorpusError, match=r"connection failed\); without a network put the file at .*text\.zip and"):
        download(nobody, tmp_path)
    (tmp_path / "text.zip").write_bytes(archive())
    assert download(replace(nobody, sha256=hashlib.sha256(archive()).hexdigest()), tmp_path).read_bytes() == TEXT


def test_a_folder_that_cannot_be_made(known: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileAccessError, match="cannot write"):
        download(known, tmp_path / "file")


def test_names_that_are_not_downloads(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="'wiki' is no known corpus; to be downloaded are: text8, sst"):
        download("wiki", tmp_path)
    with pytest.raises(CorpusError, match="built in and needs no download"):
        downloaded_path("docs", tmp_path)
    with pytest.raises(MissingFileError, match="xw2v data get text8"):
        downloaded_path("text8", tmp_path)


def test_the_command_line(
    server: Server, known: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(DATASETS, "small", known)
    monkeypatch.setenv("XW2V_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    assert cli.main(["data", "path", "small"]) == 1
    assert cli.main(["data", "get", "small"]) == 0
    assert cli.main(["data", "path", "small"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path}/small/text\n" * 2
    assert err == "xw2v: error: small is not there yet: xw2v data get small\n"
    assert cli.main(["data", "get", "docs"]) == 1
