"""The environment in which `go test` runs a test binary.

PWD is the package's folder and the toolchain's own `go` comes first on PATH (cmd/go's AppendPWD and
AppendPATH, internal/base/env.go, called by test/test.go; Go 1.21 to 1.27): tests that start `go` or
look at PWD fail without.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def test_environment(
    goroot: Path, folder: Path, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The user's environment, or `base`, as `go test` hands it on to tests run in `folder`."""
    environment = dict(os.environ if base is None else base)
    path = environment.get("PATH", "")
    tools = str(goroot / "bin")
    environment["PATH"] = f"{tools}{os.pathsep}{path}" if path else tools
    environment["PWD"] = str(folder)
    return environment
