"""The environment in which `go` runs: the user's, mended where Go could not work in it.

Go keeps a cache of what it compiled (os.UserCacheDir), a folder of modules ($HOME/go) and a
folder for temporary files, and builds nothing where it cannot write to them
(cmd/go/internal/cache/default.go, modload/init.go, work/action.go, Go 1.21 to 1.27). Without a
home, in another user's, or in one that is read-only, ours take their places.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from goprobe.cachefolder import cache_folder, temporary_folders, usable, writable


def go_environment() -> dict[str, str]:
    """The user's, but no toolchain is fetched from the network unasked."""
    environment = dict(os.environ)
    environment.setdefault("GOTOOLCHAIN", "local")
    for mended in (_home, _cache, _modules, _temporary):
        environment |= {name: str(folder) for name, folder in mended(environment).items()}
    return environment


def _home(environment: Mapping[str, str]) -> dict[str, Path]:
    home = environment.get("HOME", "")
    return {} if home.startswith("/") and os.access(home, os.X_OK) else _ours("HOME", "home")


def _cache(environment: Mapping[str, str]) -> dict[str, Path]:
    """Where the one that Go would take cannot be written to."""
    named, base = environment.get("GOCACHE"), environment.get("XDG_CACHE_HOME")
    default = Path(base) if base else Path(environment.get("HOME", ""), ".cache")
    folder = Path(named) if named else default / "go-build"
    if folder.is_absolute():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)  # as Go itself would
        if usable(folder):
            return {}
    return _ours("GOCACHE", "go-build")


def _modules(environment: Mapping[str, str]) -> dict[str, Path]:
    """Where there are no modules in the place that Go would take, and cannot be."""
    if environment.get("GOPATH") or environment.get("GOMODCACHE"):
        return {}
    home = Path(environment.get("HOME", ""))
    there = os.access(home / "go/pkg/mod", os.R_OK | os.X_OK, effective_ids=True)
    return {} if there or writable(home) else _ours("GOPATH", "go")


def _temporary(environment: Mapping[str, str]) -> dict[str, Path]:
    """Go's own folder for temporary files, and that of its C compiler."""
    named = {"TMPDIR": environment.get("TMPDIR") or "/tmp", "GOTMPDIR": environment.get("GOTMPDIR")}
    bad = [name for name, text in named.items() if text and not usable(Path(text))]
    other = next(temporary_folders(), None)
    return {
        name: folder
        for name in bad
        for folder in ([other] if other else _ours(name, "tmp").values())
    }


def _ours(name: str, room: str) -> dict[str, Path]:
    try:
        return {name: cache_folder(room)}
    except OSError:
        return {}
