"""Write goprobe/runtime/layouts/goX.Y.json for each Go toolchain given (or found).

    scripts/make-layouts [GO_PROGRAM...]

Builds a small program with each, reads the runtime's structures out of its debug information and
writes down those that goprobe/runtime/layout/fields.py declares. Run it after that has changed and
for each new Go release; a test holds the files against every toolchain of the matrix.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.elf import ElfFile
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.layout import layout_from_debug

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "testdata" / "targets" / "labels.go"
"""It links what is read of packages that not every program has."""
FOLDER = ROOT / "goprobe" / "runtime" / "layouts"


def toolchains() -> list[Path]:
    default = Path("~/.cache/goprobe/toolchains").expanduser()
    home = Path(os.environ.get("GOPROBE_TOOLCHAINS", default))
    return sorted(home.glob("go-*/go/bin/go"))


def make(go: Path) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "main"
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}
        subprocess.run([go, "build", "-o", binary, PROGRAM], check=True, env=environment)
        elf = ElfFile(binary)
        version = GoProgram(elf).go
        name = f"{version.major}.{version.minor}"
        layout = layout_from_debug(DebugInfo(elf), f"go{name}")
    path = FOLDER / f"go{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(layout), indent=1) + b"\n")
    return path


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for go in [Path(a) for a in sys.argv[1:]] or toolchains():
        print(make(go))


if __name__ == "__main__":
    main()
