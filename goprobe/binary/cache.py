"""A cache on disk of what was learnt from a binary, keyed by the very bytes it was learnt from.

Build ids, sizes and shapes name nothing: builds that differ share them (Bazel links with
-buildid=redacted), and a hostile file may copy them. So the key is a digest of the bytes that the
entry was made from, taken of the copy from which it is then made. Hashing a big binary at each
look would take long: `_Known` remembers the digest of a file by what the kernel says of it.

A cache that cannot be read or written is no error: the work is done again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from goprobe.cachefolder import MOST_ENTRIES, cache_folder, is_ours, prune, prune_folders

T = TypeVar("T")

_SUM = 32
_ENTRY_LIMIT = 1 << 30
_TOUCH_SECONDS = 24 * 3600.0
_SETTLED_NS = 2_000_000_000  # a file changed just now may change again within one tick of its clock


class Source(Protocol):
    """The part of a file that something is learnt from."""

    def known(self) -> str:
        """Its digest, as far as that is known without reading it all; "" where it is not."""

    def read(self) -> str:
        """Reads it: the digest of what `make` will see from now on."""


def cached(
    room: str,
    source: Source,
    struct: type[T],
    make: Callable[[], T],
    *,
    holds: Callable[[T], bool] = lambda value: True,
) -> T:
    """What `make` learns from `source`, from the cache where that has it and `holds` of it."""
    known = source.known()
    kept = load(room, known, struct) if known else None
    if kept is None:
        digest = source.read()
        kept = load(room, digest, struct) if digest != known else None
        if kept is None or not holds(kept):
            return _made(room, digest, make)
    return kept if holds(kept) else _made(room, source.read(), make)


def _made(room: str, digest: str, make: Callable[[], T]) -> T:
    value = make()
    store(room, digest, value)
    return value


def room_of(name: str, *sources: str) -> str:
    """A room for what these source files of ours make: another version of them has another."""
    return f"{name}-{_code(sources)}"


@lru_cache
def room_of_folders(name: str, *folders: str) -> str:
    """The same for all source files in folders of ours, which are named as of `goprobe`."""
    top = Path(__file__).parents[1]
    return room_of(name, *(str(f) for each in folders for f in sorted((top / each).glob("*.py"))))


@lru_cache
def _code(sources: tuple[str, ...]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for source in sources:
        with contextlib.suppress(OSError):
            digest.update(Path(source).read_bytes())
    return digest.hexdigest()


def load(room: str, key: str, struct: type[T]) -> T | None:
    """The entry of this key, None where there is none that is whole."""
    try:
        path = cache_folder(room) / _file_name(key)
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or not is_ours(status):
                return None
            if status.st_size > _ENTRY_LIMIT:
                return None
            data = file.read(status.st_size)
            if time.time() - status.st_mtime > _TOUCH_SECONDS:
                os.utime(file.fileno())
        payload = memoryview(data)[_SUM:]
        if data[:_SUM] != _sum(key, payload):
            return None
        return msgspec.msgpack.decode(payload, type=struct)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def store(room: str, key: str, value: object, *, most: int = MOST_ENTRIES) -> None:
    """Keep an entry, as far as that can be, as one of at most so many in its room."""
    import tempfile  # only the first look at a binary writes

    payload = msgspec.msgpack.encode(value)
    with contextlib.suppress(OSError):
        folder = cache_folder(room)
        prune(folder, most)
        _prune_rooms_like(room)
        handle, name = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_sum(key, payload))
                file.write(payload)
            Path(name).replace(folder / _file_name(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@lru_cache
def _prune_rooms_like(room: str) -> None:
    """Those of other versions of ours go in which nothing was made for a month."""
    name = room.rpartition("-")[0]
    if name:
        prune_folders(cache_folder(), f"{name}-", keep=room)


def _sum(key: str, payload: bytes | memoryview) -> bytes:
    """Says whose entry it is, and that it is whole."""
    digest = hashlib.blake2b(key.encode(), digest_size=_SUM)
    digest.update(payload)
    return digest.digest()


def _file_name(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=20).hexdigest()


# Digests of files by what the kernel says of them


class _Known(msgspec.Struct, frozen=True):
    """The digest of a part of a file, and one of a sample of that part."""

    digest: str
    sample: str


def known_digest(identity: str, sample: Callable[[str], str]) -> str:
    """The digest of a part of a file that was seen before; "" for others.

    `identity` names part and file, as `identity_of` does. `sample` hashes some of the part's
    bytes, chosen by a digest: a file system may not tell changes as it should.
    """
    known = load("known", identity, _Known) if identity else None
    return known.digest if known and known.sample == sample(known.digest) else ""


def remember_digest(identity: str, digest: str, sample: Callable[[str], str]) -> None:
    if identity:
        store("known", identity, _Known(digest, sample(digest)))


def identity_of(status: os.stat_result, part: str) -> str:
    """Names a file as it is now; "" where it changed so lately that it may change again unseen.

    Nobody can set the time of a change of the inode (ctime) back.
    """
    changed = max(status.st_ctime_ns, status.st_mtime_ns)
    if not 0 < changed < time.time_ns() - _SETTLED_NS:
        return ""
    device = f"{status.st_dev} {_boot()}" if not os.major(status.st_dev) else f"{status.st_dev}"
    return (
        f"{part} {device} {status.st_ino} {status.st_size} {status.st_mtime_ns} "
        f"{status.st_ctime_ns}"
    )


@lru_cache
def _boot() -> str:
    """Numbers of file systems without a device are given anew at each boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(time.time_ns())
