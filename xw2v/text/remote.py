"""Texts at an address: s3://, gs:// and hdfs:// through pyarrow, others through fsspec where it is installed.

Credentials are looked for where the store's own tools look: for S3 the variables AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, ~/.aws, or the machine's role; for Google GOOGLE_APPLICATION_CREDENTIALS; for HDFS JAVA_HOME,
HADOOP_HOME and CLASSPATH, or, where pyarrow finds no libhdfs but the package hdfs-native is installed, HADOOP_CONF_DIR.
Another store that speaks S3 is named in the address: s3://bucket/text?endpoint_override=host:port&scheme=http
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pyarrow as pa

from xw2v.errors import FileAccessError, MissingFileError
from xw2v.text.paths import File, find_files, fits, split_options, without_secrets

__all__ = ["RemoteFile", "find_remote"]

_MAGIC = re.compile(r"[*?\[]")
_PLAIN, _LONE_PERCENT = "%/:?#[]@!$&'()*+,;=", re.compile("%(?![0-9A-Fa-f]{2})")  # RFC 3986
_HADOOP = ("hdfs", "viewfs")
_IN_PYARROW = ("s3", "gs", "gcs", *_HADOOP, "file")
_NO_HADOOP = re.compile(r"libhdfs|libjvm|HADOOP|CLASSPATH")
_ASKED_FOR = 4 << 20  # bytes at once: each question costs the time there and back
_CHECK_HOST = (
    "; check host and port, those of fs.defaultFS in core-site.xml, or leave them out: hdfs:///folder/text.txt"
)
_GOOGLE_SECONDS = "retry_limit_seconds=20"  # pyarrow would try for a quarter of an hour


@dataclass(frozen=True)
class RemoteFile:
    """A file of a pyarrow file system.

    address : for messages and manifests, without passwords
    """

    address: str
    system: Any
    path: str
    size: int
    mtime_ns: int | None

    @property
    def name(self) -> str:
        """The address."""
        return self.address

    @property
    def suffix(self) -> str:
        """The ending of the last part of the path."""
        return PurePosixPath(self.path).suffix

    def stamp(self) -> dict[str, Any] | None:
        """None where the store tells no time of change."""
        if self.mtime_ns is None:
            return None
        return {"path": self.address, "bytes": self.size, "mtime_ns": self.mtime_ns}

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """A stream of its bytes, as they lie there."""
        with _errors_named(self.address):
            stream = self.system.open_input_stream(self.path, compression=None, buffer_size=_ASKED_FOR)
        with stream:
            yield _Counted(stream, self.address)

    def random_access(self) -> Any:
        """The file, of which any bytes can be asked for."""
        with _errors_named(self.address):
            return self.system.open_input_file(self.path)


class _Counted:
    """A stream that knows how much of it was read, and whose errors have its address."""

    closed = False

    def __init__(self, stream: Any, address: str) -> None:
        self.stream, self.address, self.done = stream, address, 0

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes."""
        with _errors_named(self.address):
            data: bytes = self.stream.read(None if size < 0 else size)
        self.done += len(data)
        return data

    def tell(self) -> int:
        """Bytes read so far."""
        return self.done

    def close(self) -> None:
        """Whoever opened the stream closes it."""


def find_remote(address: str) -> list[File]:
    """The files at an address: one, those of a folder, or those that a pattern fits; sorted, hidden ones left out.

    Raises
    ------
    MissingFileError   there is none, or no such bucket
    FileAccessError    it cannot be looked at: credentials, the network, a package that is missing
    """
    shown = without_secrets(address)
    bare, query = split_options(address)
    magic = _MAGIC.search(bare)
    # What stands before the first pattern is a folder, and all below it is listed.
    base = bare[: bare.rindex("/", 0, magic.start()) + 1] if magic else bare
    system, path = _system(base, query, shown)
    if system.type_name == "local":  # which gives paths without the slash at their end
        return find_files(Path(path) / bare[len(base) :])
    with _errors_named(shown):
        found = _listing(system, path, shown)
    root = path.rstrip("/")
    top = without_secrets(base).rstrip("/")
    pattern = f"{root}/{bare[len(base) :]}" if magic else None
    files: list[RemoteFile] = [
        RemoteFile(top + info.path[len(root) :], system, info.path, int(info.size), info.mtime_ns)
        for info in found
        if (fits(info.path.split("/"), pattern.split("/")) if pattern else not _is_hidden(info.path[len(root) :]))
    ]
    if not files:
        msg = f"no file has the pattern {shown}" if magic else f"{shown} holds no file (hidden ones are left out)"
        raise MissingFileError(msg)
    return [*sorted(files, key=lambda file: file.path)]


def _system(base: str, query: str, shown: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    import pyarrow.fs  # only here: it loads the clients of all stores

    scheme, _, rest = base.partition("://")
    scheme = scheme.lower()
    if scheme not in _IN_PYARROW:
        return _fsspec_system(scheme, base, shown)
    if scheme in ("gs", "gcs") and "retry_limit_seconds" not in query:
        query = f"{query}&{_GOOGLE_SECONDS}" if query else _GOOGLE_SECONDS
    with _errors_named(shown):
        try:
            if scheme in _HADOOP:
                return _hadoop(scheme, rest, query, shown)
            return pyarrow.fs.FileSystem.from_uri(_address(scheme, rest, query))  # type: ignore[no-any-return]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError) as error:
            msg = f"{shown} cannot be read: {_line(error)}; wanted an address such as s3://bucket/folder/text.txt"
            raise FileAccessError(msg) from error


def _address(scheme: str, rest: str, query: str) -> str:
    """An address for Arrow, which wants spaces, letters beyond ASCII and the like spelled as %20."""
    plain = quote(_LONE_PERCENT.sub("%25", rest), safe=_PLAIN)
    return f"{scheme}://{plain}" + (f"?{query}" if query else "")


def _hadoop(scheme: str, rest: str, query: str, shown: str) -> tuple[Any, str]:
    """Hadoop's file system through pyarrow, which wants Java; else through hdfs-native, which does not."""
    from pyarrow.fs import FileSystem, HadoopFileSystem

    try:
        if rest.startswith("/"):  # the host of core-site.xml; from_uri looks for one without a name
            return HadoopFileSystem("default", 0, **dict(parse_qsl(query))), unquote(rest)
        system, path = FileSystem.from_uri(_address(scheme, rest, query))
    except OSError as error:
        if not (_NO_HADOOP.search(str(error)) and find_spec("hdfs_native") and find_spec("fsspec")):
            raise
        system, path = _fsspec_system(scheme, f"{scheme}://{rest}", shown)
    return system, path or "/"


def _fsspec_system(scheme: str, base: str, shown: str) -> tuple[Any, str]:
    """The same through fsspec, which knows many more stores."""
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(base)
    except (ImportError, ValueError) as error:
        msg = (
            f"{shown} cannot be read: {scheme}:// needs fsspec and its package for that store ({_line(error)}); s3, gs "
            "and hdfs need nothing more; or download the file"
        )
        raise FileAccessError(msg) from error
    return PyFileSystem(FSSpecHandler(system)), path


def _listing(system: Any, path: str, shown: str) -> list[Any]:
    """The file at a path, or all files of the folder there."""
    from pyarrow.fs import FileSelector, FileType

    top = path.rstrip("/") or path
    info = system.get_file_info(top)
    if info.type == FileType.File:
        return [info]
    if info.type == FileType.NotFound:
        # pyarrow says so of everything where the NameNode does not answer.
        if system.type_name == "hdfs" and system.get_file_info("/").type == FileType.NotFound:
            msg = f"{shown} cannot be read: HDFS does not answer there{_CHECK_HOST}"
            raise FileAccessError(msg)
        raise _missing(shown)
    found = system.get_file_info(FileSelector(top, recursive=True))
    return [info for info in found if info.type == FileType.File and not info.path.endswith("/")]


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _missing(shown: str) -> MissingFileError:
    place = "path" if shown.lower().startswith(_HADOOP) else "bucket and the path"
    return MissingFileError(f"there is no file or folder {shown}; check the {place}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


@contextmanager
def _errors_named(shown: str) -> Iterator[None]:
    """What a store's client reports as one line that says what to do."""
    try:
        yield
    except (FileAccessError, MissingFileError):
        raise
    except FileNotFoundError as error:
        raise _missing(shown) from error
    except (OSError, RuntimeError, pa.ArrowException) as error:
        text = _line(error)
        if re.search(r"NoSuchBucket|NO_SUCH_BUCKET|does not exist", text):
            raise _missing(shown) from error
        msg = f"{shown} cannot be read: {text}{_advice(shown, text)}"
        raise FileAccessError(msg) from error


def _advice(shown: str, text: str) -> str:
    """What to do about an error, where that is known."""
    if _NO_HADOOP.search(text):
        client = "Java and Hadoop's client (set JAVA_HOME, HADOOP_HOME, CLASSPATH)"
        return f"; hdfs:// needs {client}, or: pip install hdfs-native fsspec"
    if shown.lower().startswith(_HADOOP):
        connecting = re.search(r"connection|lookup|NameNode|defaultFS", text, re.IGNORECASE)
        return _CHECK_HOST if connecting else "; what Hadoop printed above says why"
    if shown.startswith("s3") and re.search(r"ACCESS_DENIED|403|Forbidden|credential|INVALID_ACCESS|SIGNATURE", text):
        return "; check the credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws"
    if shown.startswith("g") and re.search(r"401|403|PERMISSION|UNAUTH|credential", text, re.IGNORECASE):
        return "; check the credentials: GOOGLE_APPLICATION_CREDENTIALS, or gs://anonymous@BUCKET for a public one"
    return ""
