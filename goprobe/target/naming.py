"""From what people call a process to its number.

A name that only one process has, `name:port` or `:port` (it listens there), a systemd unit, or the
beginning of a container's id. Where several are meant, those that hold a Go program count.
"""

from __future__ import annotations

import re

from goprobe.errors import GoprobeError, UsageError
from goprobe.process.proc.discovery import (
    every_name,
    processes_belonging,
    processes_listening,
    processes_named,
)
from goprobe.process.proc.sockets import listening_ports
from goprobe.target.goimages import may_hold_go

_CORE = re.compile(r"core(\.\w+)?|.*/.*", re.DOTALL)
_PORTS = 1 << 16  # a port is 16 bits wide: include/uapi/linux/tcp.h
_SHOWN = 5  # numbers in a sentence
_WHAT_A_PROCESS_IS = "a PROCESS is a pid, a name, name:port, a systemd unit or a container's id"
_WHAT_THERE_IS = "goprobe ps lists the Go processes"


def process_called(text: str) -> int:
    """The one process that is called so. Raises UsageError where there is none, or several."""
    meant = processes_called(text)
    if len(meant) > 1:
        meant = tuple(filter(_holds_go, meant)) or meant
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise _nobody(text)
    shown = ", ".join(map(str, meant[:_SHOWN])) + (", …" if len(meant) > _SHOWN else "")
    raise UsageError(
        f"{text!r} is not a process number, and several processes are called so",
        hint=f"processes of that name: {shown}; goprobe ps tells them apart",
    )


def _nobody(text: str) -> UsageError:
    """Of a name that nobody has: what comes near."""
    name, port = _name_and_port(text)
    if port and not name:
        return UsageError(f"no process listens on port {port}", hint=_WHAT_THERE_IS)
    if port and (same := processes_named(name)):
        there = "; ".join(map(_listens, same[:_SHOWN]))
        return UsageError(f"no process called {name} listens on port {port}", hint=there)
    if _CORE.fullmatch(text):
        return UsageError(f"there is no file {text}", hint=_WHAT_THERE_IS)
    near = _nearest(name)
    told = f"nearest: {', '.join(near)}" if near else _WHAT_A_PROCESS_IS
    return UsageError(
        f"{text!r} is not a process number, and no process is called so",
        hint=f"{told}; {_WHAT_THERE_IS}",
    )


def _listens(pid: int) -> str:
    ports = ", ".join(map(str, sorted(listening_ports(pid))))
    return f"process {pid} listens on {ports or 'none'}"


def _nearest(name: str) -> list[str]:
    """Names of Go processes like one that nobody has."""
    from difflib import get_close_matches  # for mistakes only

    called: dict[str, list[int]] = {}
    for other, pid in every_name():
        called.setdefault(other, []).append(pid)
    close = get_close_matches(name, called, n=len(called) or 1)
    known = (n for n in close if any(map(_holds_go, called[n])))
    return [f"{n} ({called[n][0]})" if len(called[n]) == 1 else n for n in known][:_SHOWN]


def _name_and_port(text: str) -> tuple[str, int]:
    """ "shop:8080" in two; 0 where no port is named."""
    name, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdecimal() and 0 < int(port) < _PORTS:
        return name, int(port)
    return text, 0


def processes_called(text: str) -> tuple[int, ...]:
    """All that are called so, whether they hold a Go program or not."""
    if not text:
        return ()
    name, port = _name_and_port(text)
    if port:
        return processes_listening(port, name)
    return processes_named(text) or processes_belonging(text)


def _holds_go(pid: int) -> bool:
    try:
        return may_hold_go(pid)
    except (GoprobeError, OSError):
        return False
