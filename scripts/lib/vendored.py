"""The packages of others that Go ships inside of itself, as modules that can be tested offline.

They come without their tests (src/vendor, src/cmd/vendor): `testdata/vendored` makes them work.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.go import toolchain

MODULES = "/modules/"
_DRIVER = Path(__file__).parents[2] / "testdata" / "vendored" / "drive_test.go"
_GO = "1.26"  # of the language: the newest that all of them ask for


def vendored_module(go: str, folder: Path) -> None:
    """Lays out in a folder a module whose test uses them."""
    source = toolchain(go).parent.parent / "src"
    names: set[str] = set()
    for vendor in (source / "vendor", source / "cmd" / "vendor"):
        shutil.copytree(vendor, folder / "modules", dirs_exist_ok=True)
        lines = (vendor / "modules.txt").read_text().splitlines()
        names.update(line.split()[1] for line in lines if line.startswith("# "))
    wanted = []
    for name in sorted(names):
        (folder / "modules" / name / "go.mod").write_text(f"module {name}\n\ngo {_GO}\n")
        wanted += [f"require {name} v0.0.0", f"replace {name} => ./modules/{name}"]
    text = "\n".join(("module example.com/drive", "", f"go {_GO}", "", *wanted))
    (folder / "go.mod").write_text(f"{text}\n")
    shutil.copy(_DRIVER, folder)
