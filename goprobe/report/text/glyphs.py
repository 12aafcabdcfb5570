"""The few signs that the text reports draw with, and what replaces them in plain ASCII."""

from __future__ import annotations

import msgspec


class Glyphs(msgspec.Struct, frozen=True):
    branch: str
    last: str
    pipe: str
    bar: str
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
