"""Where a function hands control to, by its machine code."""

from __future__ import annotations

from goprobe.arch.amd64.outgoing import Outgoing as Outgoing, Way as Way, outgoing as outgoing
