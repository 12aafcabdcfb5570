"""What the user's -gcflags say of a package: the rule of `go build`.

Each is `[PATTERN=]FLAGS`; of those that match a package the last one counts, and one without a
pattern matches the packages that the command line names (cmd/go/internal/load/flag.go, Go 1.21 to
1.27).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path


def flags_for(
    given: Sequence[str], path: str, directory: Path, cwd: Path, *, named: bool, standard: bool
) -> str:
    """The compiler's flags for the package of an import `path`, as the user wrote them. `given` are
    the flags of the build in their order, GOFLAGS first; `named`: by the command line."""
    joined = ""
    for flag in given:
        name, _, value = flag.lstrip("-").partition("=")
        if name != "gcflags":
            continue
        value = value.strip()
        pattern, _, flags = ("", "", value) if value[:1] in ("", "-") else value.partition("=")
        if _matches(pattern.strip(), path, directory, cwd, standard=standard) if pattern else named:
            joined = flags.strip()
    return joined


def _matches(pattern: str, path: str, directory: Path, cwd: Path, *, standard: bool) -> bool:
    """MatchPackage (cmd/go/internal/load/search.go)."""
    if pattern == "all":
        return True
    if pattern in ("std", "cmd"):
        return standard and (pattern == "std" or path.startswith("cmd/"))
    if pattern in (".", "..") or pattern.startswith(("./", "../")):
        return _fits(os.path.normpath(cwd / pattern), str(directory))
    return _fits(pattern, path)


def _fits(pattern: str, name: str) -> bool:
    """`...` stands for anything, and `/...` at the end for nothing as well."""
    wanted = re.escape(pattern).replace(r"\.\.\.", ".*")
    wanted = re.sub(r"/\.\*$", "(/.*)?", wanted)
    return re.fullmatch(wanted, name) is not None
