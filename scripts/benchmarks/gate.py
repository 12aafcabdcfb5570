"""What a gate costs: `goprobe escape --test` beside plain `go test`, of packages of several sizes.

Warm: nothing has changed since it was run before. Cold: the package has, so that both compile it,
and goprobe has seen nothing of it. The tests run each time (-count=1).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path

from scripts.benchmarks.timing import Figure, side_by_side
from tests.support.go import matrix, toolchain

PACKAGES = ("container/list", "encoding/csv", "text/template", "encoding/json", "go/parser")
"""Of the standard library, from four files to forty."""
_WARM, _COLD = 1.5, 2.5
_ROOT = Path(__file__).parents[2]
_numbers = count()


class _Package:
    """One package, with a cache of goprobe's of its own. A change is a comment at the end of one of
    its files, which Go is told of by an overlay."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        self._go = toolchain(matrix()[-1])
        source = self._go.parent.parent / "src" / name
        self._file = min(f for f in source.glob("*.go") if not f.name.endswith("_test.go"))
        self._changed = folder / self._file.name
        self._overlay = folder / "overlay.json"
        self._overlay.write_text(json.dumps({"Replace": {str(self._file): str(self._changed)}}))
        self.change()

    def change(self) -> None:
        self._changed.write_text(f"{self._file.read_text()}\n// {os.getpid()} {next(_numbers)}\n")

    def forget(self) -> None:
        shutil.rmtree(self._folder / "goprobe", ignore_errors=True)

    def go_test(self) -> None:
        self._run(str(self._go), "test", "-count=1", "-vet=off", "-short", self._name)

    def escape(self) -> None:
        goprobe = (sys.executable, "-m", "goprobe", "escape", "--go", str(self._go))
        self._run(*goprobe, "--test", self._name, "--", "-test.short")

    def changed(self, run: Callable[[], None]) -> None:
        self.change()
        self.forget()
        run()

    def _run(self, *command: str) -> None:
        result = subprocess.run(command, cwd="/", env=self._environment, capture_output=True)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]

    @property
    def _environment(self) -> Mapping[str, str]:
        # Installed, goprobe lies there compiled.
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return {
            **kept,
            "PYTHONPATH": str(_ROOT),
            "XDG_CACHE_HOME": str(self._folder),
            "GOCACHE": kept.get("GOCACHE", str(Path.home() / ".cache" / "go-build")),
            "GOFLAGS": f"-overlay={self._overlay}",
            "GOTOOLCHAIN": "local",
        }


def measure(runs: int) -> Iterator[Figure]:
    for name in PACKAGES:
        with tempfile.TemporaryDirectory(prefix="goprobe-bench-") as folder:
            yield from _of(_Package(name, Path(folder)), name, runs)


def _of(package: _Package, name: str, runs: int) -> Iterator[Figure]:
    package.escape()
    warm = side_by_side(runs, {"go test": package.go_test, "escape": package.escape})
    cold = side_by_side(
        min(runs, 3),
        {
            "go test": partial(package.changed, package.go_test),
            "escape": partial(package.changed, package.escape),
        },
    )
    for when, taken, most in (("warm", warm, _WARM), ("cold", cold, _COLD)):
        yield Figure(f"{name}, {when}: go test", taken["go test"], "s")
        ratio = taken["escape"] / taken["go test"]
        yield Figure(f"{name}, {when}: goprobe escape --test", ratio, "times", most)
