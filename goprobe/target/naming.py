"""From what people call a process to its number.

A name that only one process has, `name:port` or `:port` (it listens there), a systemd unit, or the
beginning of a container's id. Where several are meant, those that hold a Go program count.
"""

from __future__ import annotations

from goprobe.errors import GoprobeError, UsageError
from goprobe.process.proc.discovery import (
    processes_belonging,
    processes_listening,
    processes_named,
)
from goprobe.target.goimages import may_hold_go

_PORTS = 1 << 16  # a port is 16 bits wide: include/uapi/linux/tcp.h
_SHOWN = 5  # numbers in a sentence


def process_called(text: str) -> int:
    """The one process that is called so. Raises UsageError where there is none, or several."""
    meant = processes_called(text)
    if len(meant) > 1:
        meant = tuple(filter(_holds_go, meant)) or meant
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise UsageError(
            f"{text!r} is not a process number, and no process is called so",
            hint="a PROCESS is a pid, a name, name:port, a systemd unit or a container's id;"
            " goprobe ps lists the Go processes",
        )
    shown = ", ".join(map(str, meant[:_SHOWN])) + (", …" if len(meant) > _SHOWN else "")
    raise UsageError(
        f"{text!r} is not a process number, and several processes are called so",
        hint=f"processes of that name: {shown}; name:port tells servers apart",
    )


def processes_called(text: str) -> tuple[int, ...]:
    """All that are called so, whether they hold a Go program or not."""
    name, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdecimal():
        return processes_listening(int(port), name) if 0 < int(port) < _PORTS else ()
    return processes_named(text) or processes_belonging(text)


def _holds_go(pid: int) -> bool:
    try:
        return may_hold_go(pid)
    except (GoprobeError, OSError):
        return False
