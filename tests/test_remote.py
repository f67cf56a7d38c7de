"""Texts at an address, read from servers on this machine that speak S3's and Google's languages, and from HDFS.

HDFS is a real one where XW2V_HDFS names its host and port, and JAVA_HOME, CLASSPATH, ARROW_LIBHDFS_DIR its client; else
`tests/hdfs_host.c` stands in for the client.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.fs
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


class Store(NamedTuple):
    """A server on the loopback address, which holds `FILES` in the bucket or folder "texts"."""

    scheme: str
    user: str
    options: str
    any_place: bool = True  # whether pyarrow can open a file there to read at any place, as Parquet wants
    host: str = ""  # and a slash

    def address(self, path: str, user: str = "") -> str:
        return f"{self.scheme}://{user or self.user}{self.host}{path}?{self.options}"

    def shown(self, path: str) -> str:
        return f"{self.scheme}://{self.host}{path}"


@contextmanager
def amazon() -> Iterator[Store]:
    moto = pytest.importorskip("moto.server", reason="moto and flask are not installed")
    from pyarrow.fs import S3FileSystem

    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    place = ":".join(map(str, running.get_host_and_port()))
    client = S3FileSystem(
        endpoint_override=place, scheme="http", access_key="k", secret_key="s", region="us-east-1",
        allow_bucket_creation=True,
    )  # fmt: skip
    client.create_dir("texts")
    fill(client)
    yield Store("s3", "", f"endpoint_override={place}&scheme=http")
    running.stop()


@contextmanager
def google() -> Iterator[Store]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it is built on
        emulator = pytest.importorskip("gcp_storage_emulator.server", reason="gcp-storage-emulator is not installed")
    from pyarrow.fs import GcsFileSystem

    running = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="texts")
    with pytest.MonkeyPatch.context() as patch:
        # One request after the other would wait for connections that the client keeps open.
        patch.setattr("http.server.HTTPServer", ThreadingHTTPServer)
        running.start()
    place = f"127.0.0.1:{running._api._httpd.socket.getsockname()[1]}"
    fill(GcsFileSystem(anonymous=True, scheme="http", endpoint_override=place))
    yield Store("gs", "anonymous@", f"endpoint_override={place}&scheme=http", any_place=False)
    running.stop()


@contextmanager
def hadoop() -> Iterator[Store]:
    from pyarrow.fs import HadoopFileSystem

    host, _, port = os.environ.get("XW2V_HDFS", "127.0.0.1:8020").rpartition(":")
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if "XW2V_HDFS" not in os.environ:
            build_hadoop(Path(folder))
            patch.setenv("XW2V_HDFS_ROOT", f"{folder}/root")
            patch.setenv("ARROW_LIBHDFS_DIR", folder)
            patch.setenv("JAVA_HOME", f"{folder}/java")
        client = HadoopFileSystem(host, int(port))
        for path in FILES:
            client.create_dir(f"/texts/{path}".rpartition("/")[0], recursive=True)
        fill(client, "/texts")
        yield Store("hdfs", "", "replication=1", host=f"{host}:{port}/")


def build_hadoop(folder: Path) -> None:
    """A libhdfs of files in a folder, and a libjvm of nothing, which pyarrow loads before it."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler (gcc or clang)")
    source = Path(__file__).with_name("hdfs_host.c")
    java = folder / "java" / "lib" / "server" / "libjvm.so"
    java.parent.mkdir(parents=True)
    for library, what in ((folder / "libhdfs.so", [str(source)]), (java, ["-xc", "/dev/null"])):
        subprocess.run([compiler, "-Wall", "-Wextra", "-shared", "-fPIC", "-o", str(library), *what], check=True)


def fill(client: Any, root: str = "texts") -> None:
    for path, data in FILES.items():
        with client.open_output_stream(f"{root}/{path}", compression=None) as stream:
            stream.write(data)


@pytest.fixture(scope="module", params=[amazon, google, hadoop])
def server(request: pytest.FixtureRequest) -> Iterator[Store]:
    with request.param() as store:
        yield store


@pytest.fixture
def store(server: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The server, with what lets one in."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return server


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
def test_what_an_address_stands_for(store: Store, path: str, words: list[str]) -> None:
    if path == "texts/tables" and not store.any_place:
        pytest.skip("pyarrow's own open_input_file does not return with gcp-storage-emulator")
    assert encode(store.address(path), min_count=1).vocabulary.words == words


def test_it_is_what_local_files_give(store: Store, tmp_path: Path) -> None:
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    for path in ("t", "packed/a.txt.gz", "tables/a.parquet")[: 3 if store.any_place else 2]:
        there, here = encode(store.address(f"texts/{path}"), min_count=1), encode(tmp_path / path, min_count=1)
        assert there.fingerprint() == here.fingerprint()
    both = encode([store.address("texts/t/a.txt"), tmp_path / "t" / "b.txt"], min_count=1)
    assert both.offsets.tolist() == [0, 2, 4]


def test_reused_while_the_objects_are_the_same(store: Store, tmp_path: Path) -> None:
    where = store.address("texts/t/a.txt", user="" if store.user else "user:secret@")
    for reused in (False, True):
        assert encode(where, tmp_path / "e", min_count=1).reused == reused
    manifest = (tmp_path / "e" / "manifest.json").read_text()
    assert json.loads(manifest)["source"][0]["path"] == store.shown("texts/t/a.txt")
    assert "secret" not in manifest


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("texts/none.txt", MissingFileError, "there is no file or folder {}; check the "),
        ("nobucket/a.txt", MissingFileError, "there is no file or folder {}; check the "),
        ("texts/t/*.csv", MissingFileError, "no file has the pattern {}"),
        (
            "texts/packed/cut.txt.gz",
            CorpusError,
            "{} is truncated, damaged or not",
        ),
        ("texts/binary/a.txt", CorpusError, "{} is not UTF-8 text: zero byte at byte 0"),
    ],
)
def test_errors_name_the_address(store: Store, path: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        encode(store.address(path), min_count=1)
    assert str(caught.value).startswith(message.format(store.shown(path)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "said", "advice"),
    [
        ("s3", "AWS Error ACCESS_DENIED during ListObjectsV2 operation: Forbidden", "AWS_ACCESS_KEY_ID and AWS_SECRET"),
        ("gs", "Permanent error, with a last message of 403 [google.cloud]", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("hdfs", "HDFS read failed. Detail: [errno 255] Unknown error 255", "what Hadoop printed above says why"),
    ],
)
def test_what_to_do_about_it(scheme: str, said: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from xw2v.text import remote

    def refused(*_: Any) -> Any:
        raise OSError(said)

    monkeypatch.setattr(remote, "_system", lambda *_: (SimpleNamespace(type_name=scheme), "texts/t"))
    monkeypatch.setattr(remote, "_listing", refused)
    place = Store(scheme, "", "endpoint_override=127.0.0.1:9&scheme=http").address("texts/t")
    with pytest.raises(FileAccessError, match=rf"{scheme}://texts/t cannot be read: .*{advice}"):
        encode(place)


def test_stores_that_want_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileAccessError, match=r"nosuch://c/x cannot be read: nosuch:// needs fsspec and its package"):
        encode("nosuch://c/x")


def test_hdfs_without_hadoop() -> None:
    """In a process of its own: pyarrow keeps a libhdfs that it has loaded."""
    code = (
        "import sys; sys.modules['hdfs_native'] = None\n"
        "from xw2v.text import encode; from xw2v.errors import FileAccessError\n"
        "try: encode('hdfs://127.0.0.1:9/x')\n"
        "except FileAccessError as error: print(error)"
    )
    gone = {"HADOOP_HOME", "JAVA_HOME", "CLASSPATH", "ARROW_LIBHDFS_DIR"}
    env = {key: value for key, value in os.environ.items() if key not in gone} | {"PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert said.startswith("hdfs://127.0.0.1:9/x cannot be read: ")
    assert "set JAVA_HOME, HADOOP_HOME, CLASSPATH" in said
    assert "pip install hdfs-native" in said
    assert said.count("\n") == 1


def test_hdfs_without_hadoop_but_with_hdfs_native(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    from xw2v.text import remote

    class NoHadoop:
        @staticmethod
        def from_uri(_: str) -> Any:
            msg = "Unable to load libhdfs"
            raise OSError(msg)

    memory = fsspec.filesystem("memory")
    memory.pipe("/t/a.txt", b"hello world\n")
    monkeypatch.setattr(pyarrow.fs, "FileSystem", NoHadoop)
    monkeypatch.setattr(remote, "find_spec", lambda _: True)
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda address: (memory, address.removeprefix("hdfs://h:1")))
    assert encode("hdfs://h:1/t/*.txt", min_count=1).vocabulary.words == ["hello", "world"]
    monkeypatch.setattr(remote, "find_spec", lambda _: None)
    with pytest.raises(FileAccessError, match="cannot be read: Unable to load libhdfs; hdfs:// needs Java"):
        encode("hdfs://h:1/t/*.txt")


@pytest.mark.parametrize("server", [hadoop], indirect=True)
def test_hosts_of_hdfs(store: Store) -> None:
    nobody = "127.0.0.1:9"  # the port of discard: nothing listens
    with pytest.raises(
        FileAccessError, match=rf"^hdfs://{nobody}/t cannot be read: HDFS does not answer .*host and port"
    ):
        encode(f"hdfs://{nobody}/t")
    with pytest.raises(
        FileAccessError, match=r"^hdfs://no\.invalid:1/t cannot be read: .* failed; check host and port"
    ):
        encode("hdfs://no.invalid:1/t")
    with pytest.raises(FileAccessError, match=r"^hdfs:///t cannot be read: .*unexpected keyword .*'size'"):
        encode("hdfs:///t?size=1")
    assert encode("hdfs:///texts/t/a.txt?user=me", min_count=1).raw_words == 2  # the host of core-site.xml
    top = f"hdfs://{store.host}".rstrip("/")
    for address in (f"{top}/texts/t*/[ab].txt", f"{top}/*/t/?.txt"):
        assert encode(address, min_count=1).vocabulary.words[0] == "hello"
    for address in (top, f"{top}/"):
        with pytest.raises(CorpusError, match=rf"^{top}/(texts/)?binary/a\.txt is not UTF-8"):
            encode(address)


def test_addresses_of_local_files(tmp_path: Path) -> None:
    folder = tmp_path / "ein höfliches 100% (Wort)"
    folder.mkdir()
    (folder / "a 1.txt").write_text("a b\n")
    for name in ("a 1.txt", "a%201.txt", "*.txt", "a ?.txt", ""):
        assert encode(f"file://{folder}/{name}", min_count=1).raw_words == 2


def test_patterns_leave_out_what_is_hidden(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    root = f"xw2v{tmp_path}"
    memory = fsspec.filesystem("memory")
    for name in ("a.txt", ".b.txt", "in/c.txt", ".in/d.txt", "in/.in/e.txt"):
        memory.pipe_file(f"/{root}/{name}", name.encode())
    for pattern, wanted in {
        "*": ["a.txt"],
        "**": ["a.txt", "in/c.txt"],
        "**/*.txt": ["a.txt", "in/c.txt"],
        ".*": [".b.txt"],
        ".in/*": [".in/d.txt"],
    }.items():
        assert encode(f"memory://{root}/{pattern}", min_count=1).vocabulary.words == wanted
    memory.rm(f"/{root}", recursive=True)


def test_secrets_are_not_shown() -> None:
    assert without_secrets("s3://key:secret@b/t?region=x") == "s3://b/t"
    assert without_secrets("s3://b/t?.txt") == "s3://b/t?.txt"
    assert without_secrets("s3://b/mail@home.txt") == "s3://b/mail@home.txt"
    assert split_options("s3://b/?.txt") == ("s3://b/?.txt", "")
