"""What a process's descriptors lead to: files, pipes, and both ends of sockets.

Source: proc(5), and Documentation/networking/proc_net_tcp.rst of Linux: addresses are words in the
machine's byte order, ports are not.
"""

from __future__ import annotations

import socket
import struct
from functools import cached_property
from pathlib import Path

import msgspec

from goprobe.errors import GoprobeError
from goprobe.process.proc.procfs import read_proc

_MOST = 1 << 26  # bytes of one table
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
        if not name.startswith(_SOCKET):
            return Descriptor(name)
        return self._sockets.get(name[len(_SOCKET) : -1], Descriptor(name))

    @cached_property
    def _sockets(self) -> dict[str, Descriptor]:
        """By their inodes."""
        by_inode: dict[str, Descriptor] = {}
        for table in _TABLES:
            for words in self._rows(table):
                if len(words) > 9:
                    local, remote = _end(words[1]), _end(words[2])
                    remote = "" if words[3] == _LISTENS and "tcp" in table else remote
                    by_inode[words[9]] = Descriptor(table.removesuffix("6"), local, remote)
        for words in self._rows("unix"):
            if len(words) > 6:
                by_inode[words[6]] = Descriptor("unix", " ".join(words[7:]))
        return by_inode

    def _rows(self, table: str) -> list[list[str]]:
        try:
            raw = read_proc(self._pid, f"net/{table}", _MOST)
        except GoprobeError:
            return []
        return [line.split() for line in raw.decode(errors="replace").splitlines()[1:]]


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
    if len(raw) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, raw)}:{number}"
    return f"[{socket.inet_ntop(socket.AF_INET6, raw)}]:{number}" if len(raw) == 16 else ""
