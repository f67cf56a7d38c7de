"""Texts at an address, read from a server on this machine that speaks S3."""

from __future__ import annotations

import gzip
import importlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xw2v.errors import CorpusError, FileAccessError, MissingFileError
from xw2v.text import encode
from xw2v.text.paths import split_options, without_secrets

WORDS = ["hello world", "hello you"]


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": WORDS}), buffer)
    return buffer.getvalue()


FILES = {
    "t/a.txt": b"hello world\n",
    "t/b.txt": b"hello you\n",
    "t/inner/c.txt": b"deep\n",
    "t/.hidden": b"no",
    "packed/a.txt.gz": gzip.compress(b"hello world\nhello you\n"),
    "packed/cut.txt.gz": gzip.compress(b"hello world\nhello you\n")[:-12],
    "tables/a.parquet": parquet(),
    "binary/a.txt": b"\0\0",
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """host:port of a server on the loopback address, which holds `FILES` in the bucket "texts"."""
    moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    place = ":".join(map(str, running.get_host_and_port()))
    from pyarrow.fs import S3FileSystem

    client = S3FileSystem(
        endpoint_override=place, scheme="http", access_key="k", secret_key="s", region="us-east-1",
        allow_bucket_creation=True,
    )  # fmt: skip
    client.create_dir("texts")
    for path, data in FILES.items():
        with client.open_output_stream(f"texts/{path}", compression=None) as stream:
            stream.write(data)
    yield place
    running.stop()


@pytest.fixture
def address(server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The address of a path on the server."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return lambda path: f"s3://{path}?endpoint_override={server}&scheme=http"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("texts/t/a.txt", ["hello", "world"]),
        ("texts/t", ["hello", "world", "you", "deep"]),
        ("texts/t/", ["hello", "world", "you", "deep"]),
        ("texts/t/*.txt", ["hello", "world", "you"]),
        ("texts/t/**/*.txt", ["hello", "world", "you", "deep"]),
        ("texts/t/[b-z].txt", ["hello", "you"]),
        ("texts/packed/a.txt.gz", ["hello", "world", "you"]),
        ("texts/tables", ["hello", "world", "you"]),
    ],
)
def test_what_an_address_stands_for(address: Callable[[str], str], path: str, words: list[str]) -> None:
    assert encode(address(path), min_count=1).vocabulary.words == words


def test_it_is_what_local_files_give(address: Callable[[str], str], tmp_path: Path) -> None:
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    for path in ("t", "packed/a.txt.gz", "tables/a.parquet"):
        there, here = encode(address(f"texts/{path}"), min_count=1), encode(tmp_path / path, min_count=1)
        assert there.fingerprint() == here.fingerprint()
    both = encode([address("texts/t/a.txt"), tmp_path / "t" / "b.txt"], min_count=1)
    assert both.offsets.tolist() == [0, 2, 4]


def test_reused_while_the_objects_are_the_same(address: Callable[[str], str], tmp_path: Path, server: str) -> None:
    where = address("texts/t/a.txt").replace("s3://", "s3://user:secret@")
    for reused in (False, True):
        assert encode(where, tmp_path / "e", min_count=1).reused == reused
    manifest = (tmp_path / "e" / "manifest.json").read_text()
    assert json.loads(manifest)["source"][0]["path"] == "s3://texts/t/a.txt"
    assert "secret" not in manifest


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("texts/none.txt", MissingFileError, "there is no file or folder s3://texts/none.txt; check the bucket"),
        ("nobucket/a.txt", MissingFileError, "there is no file or folder s3://nobucket/a.txt; check the bucket"),
        ("texts/t/*.csv", MissingFileError, "no file has the pattern s3://texts/t/*.csv"),
        (
            "texts/packed/cut.txt.gz",
            CorpusError,
            "s3://texts/packed/cut.txt.gz is truncated, damaged or not",
        ),
        ("texts/binary/a.txt", CorpusError, "s3://texts/binary/a.txt is not UTF-8 text: zero byte at byte 0"),
    ],
)
def test_errors_name_the_address(address: Callable[[str], str], path: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        encode(address(path), min_count=1)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_credentials_that_do_not_do(address: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    from xw2v.text import remote

    def refused(*_: Any) -> Any:
        msg = "When listing objects: AWS Error ACCESS_DENIED during ListObjectsV2 operation: Forbidden"
        raise OSError(msg)

    monkeypatch.setattr(remote, "_listing", refused)
    with pytest.raises(FileAccessError, match=r"s3://texts/t cannot be read: .*AWS_ACCESS_KEY_ID and AWS_SECRET"):
        encode(address("texts/t"))


def test_stores_that_want_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileAccessError, match=r"nosuch://c/x cannot be read: nosuch:// needs fsspec and its package"):
        encode("nosuch://c/x")


def test_hdfs_without_hadoop() -> None:
    for name in ("HADOOP_HOME", "JAVA_HOME", "CLASSPATH"):
        if importlib.import_module("os").environ.get(name):
            pytest.skip(f"{name} is set: Hadoop may be here")
    with pytest.raises(FileAccessError, match=r"hdfs://127.0.0.1:9/x cannot be read: .*set JAVA_HOME, HADOOP_HOME"):
        encode("hdfs://127.0.0.1:9/x")


def test_addresses_of_local_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a b\n")
    for name in ("a.txt", "*.txt", ""):
        assert encode(f"file://{tmp_path}/{name}", min_count=1).raw_words == 2


def test_secrets_are_not_shown() -> None:
    assert without_secrets("s3://key:secret@b/t?region=x") == "s3://b/t"
    assert without_secrets("s3://b/t?.txt") == "s3://b/t?.txt"
    assert without_secrets("s3://b/mail@home.txt") == "s3://b/mail@home.txt"
    assert split_options("s3://b/?.txt") == ("s3://b/?.txt", "")
