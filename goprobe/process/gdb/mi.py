"""GDB's machine interface in words: what we say to it, and what its records mean.

Pure functions; `connection.py` alone does the speaking.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

StopKind = Literal[
    "breakpoint", "watchpoint", "signal", "step", "exec", "fork", "exited", "signalled", "other"
]

_KINDS: Mapping[str, StopKind] = {
    "breakpoint-hit": "breakpoint",
    "watchpoint-trigger": "watchpoint",
    "read-watchpoint-trigger": "watchpoint",
    "access-watchpoint-trigger": "watchpoint",
    "signal-received": "signal",
    "end-stepping-range": "step",
    "exec": "exec",
    "fork": "fork",
    "vfork": "fork",
    "exited": "exited",
    "exited-normally": "exited",
    "exited-signalled": "signalled",
}
_NOWHERE = "/dev/null/"
_TID = re.compile(r"(?:LWP|process|Thread) (?:\d+\.)?(\d+)")
_VERSION = re.compile(r"(\d+(?:\.\d+)+)\S*\s*$")

OPTIONS = ("-nx", "-q", "-x", str(Path(__file__).with_name("settings.gdb")))

FRUGAL_OPTIONS = ("--readnever", f"--data-directory={_NOWHERE}")
"""GDB reads no DWARF and none of its own Python files: half of its start."""

FRUGAL_SETTINGS = (f"sysroot {_NOWHERE}", "language c")
"""Under this root GDB finds no file of the program, so it reads no symbols at all."""

SETTINGS = (
    "mi-async on",  # so that GDB notices our end even while the program runs
    "confirm off",
    "pagination off",
    "width 0",
    "style enabled off",
    "auto-load off",
    "debuginfod enabled off",
    "index-cache enabled off",
    "displaced-stepping off",
    "print thread-events off",
    "print inferior-events off",
    "python print-stack none",
)
HELD_SETTINGS = ("scheduler-locking step",)
"""Settings that GDB takes only while it holds a process."""

CANNOT_INSERT = "cannot-insert"
"""Our own word for a stop that GDB has none for: it could not put its breakpoints in again."""

WATCH_HIT = re.compile(r"save_stop_reason: \d+\.(\d+)\.\d+ stopped by hardware watchpoint")
"""What GDB says of each thread whose debug registers show a watchpoint's hit (linux-nat.c)."""

RESUMED = re.compile(r"PTRACE_(?:CONT|SINGLESTEP) \d+\.(\d+)\.\d+, .*\(resume event thread\)")
"""What it says of one that it lets run: where that had come to a watchpoint, its write has changed
nothing, and is passed over (linux-nat.c)."""

SAYS_WATCH_HITS = "debug linux-nat"
"""The setting with which it does, among much else."""

ASIDE = b'&"sigchld\\n"\n'
"""What it then says at each SIGCHLD, from the signal's handler: between any two bytes of what it is
saying (sigchld_handler, linux-nat.c, GDB 13 to 18). In all other text a line break is escaped."""

CHATTER = b"[linux-nat]"
USEFUL_CHATTER = re.compile(rb"stopped by hardware watchpoint|\(resume event thread\)")

WATCH_OPTIONS = {"write": "", "read": "-r ", "access": "-a "}
WATCH_TYPES = {
    1: "char *", 2: "short *", 4: "int *", 8: "long *", 16: "long (*)[2]", 24: "long (*)[3]",
    32: "long (*)[4]",
}  # fmt: skip
"""What GDB is to take for a pointer to so many bytes. What lies together has to be watched as one:
where an instruction writes to two that it watches, GDB looks at one of them (13.1 and 18.1)."""
_WATCHPOINTS = ("wpt", "hw-rwpt", "hw-awpt")


class StopEvent(msgspec.Struct, frozen=True):
    """One stop of the whole program, or its end (`over`).

    `thread` is the kernel's thread id and `pc` an address of the target: both 0 once it is over.
    `breakpoint` is the number of the break- or watchpoint that was hit, 0 for none; `detail` is
    GDB's own word for the reason.
    """

    kind: StopKind
    thread: int = 0
    pc: int = 0
    breakpoint: int = 0
    signal: str = ""
    exit_code: int = 0
    detail: str = ""
    new: int | None = None
    """Of a watchpoint: the watched value where it is another one than when GDB looked last."""

    @property
    def over(self) -> bool:
        """Whether the process is gone."""
        return self.kind in ("exited", "signalled")


def quoted(text: str) -> str:
    """`text` as one argument of an MI command."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def version_in(banner: str) -> str:
    """ "13.1" of "GNU gdb (Debian 13.1-3) 13.1\\n…"; "unknown" where there is none."""
    match = _VERSION.search(banner.split("\n")[0])
    return match[1] if match else "unknown"


def kernel_thread(entry: Mapping[str, Any]) -> int:
    """The kernel's thread id in one entry of -thread-info; 0 where it is not told."""
    match = _TID.search(_text(entry, "target-id"))
    return int(match[1]) if match else 0


def watchpoint_number(answer: Mapping[str, Any]) -> int:
    """The number in an answer or a stop that is about a watchpoint, else 0."""
    return max(_number(_inner(answer, name), "number", 10) for name in _WATCHPOINTS)


def register_value(text: str) -> int | None:
    """Unsigned; None where GDB has no value ("<unavailable>")."""
    try:
        return int(text, 0)
    except ValueError:
        return None


def end_of(status: int) -> StopEvent:
    """The event of a program's end, from its wait status."""
    if os.WIFEXITED(status):
        return StopEvent("exited", exit_code=os.WEXITSTATUS(status), detail="exited")
    try:
        name = signal.Signals(os.WTERMSIG(status)).name
    except ValueError:
        name = f"SIG{os.WTERMSIG(status)}"
    return StopEvent("signalled", signal=name, detail="exited-signalled")


def parse_stop(payload: Mapping[str, Any], thread: int) -> StopEvent:
    """The event of one `*stopped` record; `thread` is the kernel's id of the thread it names."""
    reason, value = _text(payload, "reason"), _inner(payload, "value")
    return StopEvent(
        kind=_KINDS.get(reason, "other"),
        thread=thread,
        pc=_number(_inner(payload, "frame"), "addr", 16),
        breakpoint=_number(payload, "bkptno", 10) or watchpoint_number(payload),
        signal=_text(payload, "signal-name"),
        exit_code=_number(payload, "exit-code", 8),  # GDB writes exit codes in octal
        detail=reason,
        new=_value(value.get("new")),
    )


_STOPPED = re.compile(
    r'\*stopped,reason="breakpoint-hit",disp="keep",bkptno="(\d+)",frame=\{addr="(0x[0-9a-f]+)",'
    r'func="\?\?",args=\[\](?:,arch="[^"]*")?\},thread-id="(\d+)",stopped-threads="all"(?:,core="\d+")?'
)
_DONE = re.compile(r"(\d+)\^(done|running)")
_VALUES = re.compile(r'(\d+)\^done,register-values=\[((?:\{number="\d+",value="[^"\\]*"\},?)*)\]')
_VALUE = re.compile(r'\{number="(\d+)",value="([^"\\]*)"\}')


_OF_NO_USE = ("*running", "=breakpoint-modified", '~"Thread ', '~"[Switching to ', '~"\\n"')


def plain_record(text: str) -> dict[str, Any] | None:
    """The records that each stop brings, which are the same every time; None of any other: a
    parser of all that MI may say takes a hundred times as long."""
    if text.startswith(_OF_NO_USE):
        return {"type": "notify", "message": "other", "payload": None, "token": None}
    if told := _STOPPED.fullmatch(text):
        number, address, thread = told.groups()
        payload = {
            "reason": "breakpoint-hit", "bkptno": number, "frame": {"addr": address},
            "thread-id": thread,
        }  # fmt: skip
        return {"type": "notify", "message": "stopped", "payload": payload, "token": None}
    if told := _DONE.fullmatch(text):
        return {"type": "result", "message": told[2], "payload": None, "token": int(told[1])}
    if told := _VALUES.fullmatch(text):
        values = [{"number": n, "value": v} for n, v in _VALUE.findall(told[2])]
        payload = {"register-values": values}
        return {"type": "result", "message": "done", "payload": payload, "token": int(told[1])}
    return None


def _inner(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else ""


def _value(told: object) -> int | None:
    """A value of one word; arrays are not told."""
    try:
        return int(told) if isinstance(told, str) else None
    except ValueError:
        return None


def _number(payload: Mapping[str, Any], name: str, base: int) -> int:
    try:
        return int(_text(payload, name), base)
    except ValueError:
        return 0
