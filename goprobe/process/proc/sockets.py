"""What a process's descriptors lead to: files, pipes, and both ends of sockets.

Source: proc(5), and Documentation/networking/proc_net_tcp.rst of Linux: addresses are words in the
machine's byte order, ports are not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path

import msgspec

from goprobe.errors import GoprobeError
from goprobe.process.proc.procfs import read_proc

_MOST = 1 << 26  # bytes of one table
_MOST_OF_EACH, _MOST_DESCRIPTORS = 1 << 24, 1 << 16  # where every process is looked at
_SOCKET = "socket:["
_TABLES = ("tcp", "tcp6", "udp", "udp6")
_LISTENS = "0A"  # TCP_LISTEN, include/net/tcp_states.h
_MAPPED = bytes(10) + b"\xff\xff"


class Descriptor(msgspec.Struct, frozen=True):
    """`what` the kernel calls it ("tcp", "unix", "pipe:[12]", "/dev/tty"); the ends of a socket."""

    what: str
    local: str = ""
    remote: str = ""


class Descriptors:
    """Those of one process, as the kernel has them now."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def of(self, number: int) -> Descriptor | None:
        """None where that cannot be told."""
        try:
            name = str(Path(f"/proc/{self._pid}/fd/{number}").readlink())
        except OSError:
            return None
        inode = _inode(name)
        return self._sockets.get(inode, Descriptor(name)) if inode else Descriptor(name)

    @cached_property
    def _sockets(self) -> dict[str, Descriptor]:
        """By their inodes."""
        by_inode: dict[str, Descriptor] = {}
        for table in _TABLES:
            for words in _rows(self._pid, table, _MOST):
                if len(words) > 9:
                    local, remote = _end(words[1]), _end(words[2])
                    remote = "" if _listens(words) and "tcp" in table else remote
                    by_inode[words[9]] = Descriptor(table.removesuffix("6"), local, remote)
        for words in _rows(self._pid, "unix", _MOST):
            if len(words) > 6:
                by_inode[words[6]] = Descriptor("unix", " ".join(words[7:]))
        return by_inode


def listening_ports(pid: int) -> tuple[int, ...]:
    """The TCP ports that a process listens on, as far as we may see its descriptors. The tables are
    those of its own network namespace."""
    inodes = set(_inodes(pid))
    rows = (w for table in ("tcp", "tcp6") if inodes for w in _rows(pid, table, _MOST_OF_EACH))
    ours = (w for w in rows if len(w) > 9 and _listens(w) and w[9] in inodes)
    return tuple(sorted({int(words[1].rpartition(":")[2], 16) for words in ours}))


def _inodes(pid: int) -> Iterator[str]:
    """Of the sockets among its descriptors."""
    try:
        for link in islice(Path(f"/proc/{pid}/fd").iterdir(), _MOST_DESCRIPTORS):
            with suppress(OSError):  # closed since
                if inode := _inode(str(link.readlink())):
                    yield inode
    except OSError:
        return


def _inode(name: str) -> str:
    """Of a socket, by what the kernel calls it; "" of anything else."""
    return name[len(_SOCKET) : -1] if name.startswith(_SOCKET) else ""


def _rows(pid: int, table: str, most: int) -> list[list[str]]:
    """The words of a table's lines: of TCP and UDP the local address as 0100007F:1F90 in the second
    column, state in the fourth, inode in the tenth."""
    try:
        raw = read_proc(pid, f"net/{table}", most)
    except GoprobeError:
        return []
    return [line.split() for line in raw.decode(errors="replace").splitlines()[1:]]


def _listens(words: list[str]) -> bool:
    return words[3] == _LISTENS


def _end(text: str) -> str:
    """ "127.0.0.1:80" of "0100007F:0050"."""
    address, _, port = text.partition(":")
    try:
        words, number = bytes.fromhex(address), int(port, 16)
        count = len(words) // 4
        raw = struct.pack(f"={count}I", *struct.unpack(f">{count}I", words))
    except (ValueError, struct.error):
        return ""
    if len(raw) == 16 and raw.startswith(_MAPPED):
        raw = raw[12:]
    # Few questions come here, and it takes a moment to load.
    from socket import AF_INET, AF_INET6, inet_ntop

    if len(raw) == 4:
        return f"{inet_ntop(AF_INET, raw)}:{number}"
    return f"[{inet_ntop(AF_INET6, raw)}]:{number}" if len(raw) == 16 else ""
