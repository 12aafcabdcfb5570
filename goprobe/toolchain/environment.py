"""The environment in which `go` runs: the user's, mended where Go could not work in it.

Go keeps a cache of what it compiled (os.UserCacheDir), a folder of modules ($HOME/go) and a
folder for temporary files, and builds nothing where it cannot write to them
(cmd/go/internal/cache/default.go, modload/init.go, work/action.go, Go 1.21 to 1.27). Without a
home, in another user's, or in one that is read-only, ours take their places.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from goprobe.cachefolder import cache_folder, temporary_folders, usable


def go_environment() -> dict[str, str]:
    """The user's, but no toolchain is fetched from the network unasked."""
    environment = dict(os.environ)
    environment.setdefault("GOTOOLCHAIN", "local")
    for name, folder in (("GOCACHE", _cache(environment)), ("GOPATH", _modules(environment))):
        if folder is not None:
            environment[name] = str(folder)
    for name, folder in _temporary(environment).items():
        environment[name] = str(folder)
    return environment


def _cache(environment: Mapping[str, str]) -> Path | None:
    """Another GOCACHE, where the one that Go would take cannot be written to."""
    named, base = environment.get("GOCACHE"), environment.get("XDG_CACHE_HOME")
    if named:
        folder = Path(named)
    elif base:
        folder = Path(base) / "go-build"
    else:
        folder = Path(environment.get("HOME", "")) / ".cache/go-build"
    return None if folder.is_absolute() and usable(folder) else _ours("go-build")


def _modules(environment: Mapping[str, str]) -> Path | None:
    """Another GOPATH, where there are no modules in the one that Go would take, and cannot be."""
    if environment.get("GOPATH") or environment.get("GOMODCACHE"):
        return None
    folder = Path(environment.get("HOME", "")) / "go"
    if folder.is_absolute() and (os.access(folder / "pkg/mod", os.R_OK | os.X_OK)):
        return None
    return None if folder.is_absolute() and usable(folder) else _ours("go")


def _temporary(environment: Mapping[str, str]) -> dict[str, Path]:
    """Other folders for temporary files, Go's and its C compiler's, where those are unusable."""
    named = {"TMPDIR": environment.get("TMPDIR") or "/tmp"}
    if given := environment.get("GOTMPDIR"):
        named["GOTMPDIR"] = given
    bad = [n for n, text in named.items() if not (Path(text).is_dir() and usable(Path(text)))]
    other = next(temporary_folders(), None) or _ours("tmp") if bad else None
    return dict.fromkeys(bad, other) if other else {}


def _ours(name: str) -> Path | None:
    try:
        return cache_folder(name)
    except OSError:
        return None
