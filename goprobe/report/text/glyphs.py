"""The few signs that the text reports draw with, and what replaces them in plain ASCII."""

from __future__ import annotations

import msgspec


class Glyphs(msgspec.Struct, frozen=True, kw_only=True):
    """`eighths` are those of a cell that a bar may end in."""

    branch: str
    last: str
    pipe: str
    bar: str
    eighths: str
    gap: str
    mark: str
    leads_to: str
    dot: str
    cut: str
    rule: str
    good: str
    bad: str
    warn: str


UNICODE = Glyphs(
    branch="├─ ",
    last="└─ ",
    pipe="│  ",
    bar="█",
    eighths=" ▏▎▍▌▋▊▉",
    gap="┊",
    mark="◄",
    leads_to="→",
    dot="·",
    cut="…",
    rule="─",
    good="✓",
    bad="✗",
    warn="!",
)
ASCII = Glyphs(
    branch="|- ",
    last="`- ",
    pipe="|  ",
    bar="#",
    eighths="",
    gap=":",
    mark="<-",
    leads_to="->",
    dot="-",
    cut="..",
    rule="-",
    good="ok",
    bad="no",
    warn="!",
)
