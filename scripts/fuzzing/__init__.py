"""Damaged binaries, memory, cores and files, and what goprobe says of them.

Whatever stands in what goprobe reads, it must answer within 10 seconds and 500 MB, or say in one
sentence why not. A kind of damage (`kind.Kind`) makes inputs from choices and lists the questions
to ask of each; `worker` asks them in a child process, `watch` holds the child to its time and
memory, `__main__` counts, and shrinks what fails. A new kind is one module here, listed in `KINDS`.
"""

from __future__ import annotations

KINDS: tuple[str, ...] = ("binaries", "memory", "cores", "live", "recordings", "reports")
"""Each has a module of its name here, with `KIND: Kind` in it."""
