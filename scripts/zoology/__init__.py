"""Released Go programs, brought from PyPI and npm, given work and looked at with goprobe.

A program (`program.Program`) is one module of `programs/`, which may keep several versions of it.
`keeper` starts it as another user, `looks` asks goprobe everything as root and as that user, and
`checks` hold the answers against witnesses that are not goprobe's: smaps, the program's pprof
pages, the runtime's trace of its collections.
"""

from __future__ import annotations

CI: tuple[str, ...] = ("caddy", "esbuild", "typescript")
"""What CI runs: ten minutes, downloads included."""
