"""A Go release by its number, such as "1.26": which of the toolchains on this machine it is.

Looked for where Go's own tools put them: `go` on PATH, $HOME/sdk (golang.org/dl), the module cache
of GOTOOLCHAIN, and the folder of goprobe's own tests. The newest of a release counts. Nothing is
fetched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from goprobe.errors import NoGoError
from goprobe.toolchain.find import GoTool, find_go, go_version

_RELEASE = re.compile(r"(?:go)?(\d+\.\d+(?:\.\d+|rc\d+|beta\d+)?)")
_MOST = 200


def go_named(option: str) -> GoTool:
    """The `go` of a --go option: a program, or a release by its number. Raises NoGoError."""
    match = _RELEASE.fullmatch(option)
    if match is None or Path(option).exists():
        return find_go(option)
    wanted = match[1]
    known = {}
    for path in _candidates():
        try:
            known[path.resolve()] = go_version(path)
        except NoGoError:
            continue
    fitting = [p for p, v in known.items() if v == wanted or v.startswith(f"{wanted}.")]
    if not fitting:
        there = ", ".join(sorted(set(known.values()), key=_order)) or "none"
        raise NoGoError(
            f"there is no Go {wanted} here",
            hint=f"releases found: {there}; --go takes the path of a go command as well",
        )
    best = max(fitting, key=lambda p: _order(known[p]))
    return GoTool(best, known[best], "--go")


def _candidates() -> Iterator[Path]:
    folders = [Path(f or ".") for f in os.get_exec_path()[:_MOST]]
    home = Path(os.environ.get("HOME") or "/")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "goprobe/toolchains"
    modules = os.environ.get("GOMODCACHE") or home / "go/pkg/mod"
    ours = Path(os.environ.get("GOPROBE_TOOLCHAINS") or cache)
    commands = [f / "go" for f in folders]
    commands += _some(home / "sdk", "go1.*/bin/go")
    commands += _some(Path(modules) / "golang.org", "toolchain@*/bin/go")
    commands += _some(ours, "go-1.*/go/bin/go")
    yield from (path for path in commands if os.access(path, os.X_OK) and path.is_file())


def _some(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))[:_MOST]
    except OSError:
        return []


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version))
