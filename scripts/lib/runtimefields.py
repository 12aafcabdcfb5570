"""Hold goprobe/runtime/layout/fields.py against Go toolchains: what declared names are where.

    scripts/check-runtime [GO_PROGRAM...]

For each toolchain given (or found: $GOPROBE_TOOLCHAINS, else ~/.cache/goprobe/toolchains) a small
program is built, and its debug information is asked for every struct, field, constant and global
that is declared. Exit code 1 if anything is missing that is not declared as optional, if an
optional name is in none of several releases (a misspelt name would never be missed), if what is
declared is read nowhere (Go would only have to rename it to stop everything), or what is read is
not declared.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from goprobe.binary.dwarf.gotypes import GoType
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.elf import ElfFile
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.fields import CONSTANTS, ROOTS, STRUCTS
from goprobe.runtime.layout.layout import roots_from_debug

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "testdata" / "targets" / "labels.go"
"""It links what is read of packages that not every program has."""

Names = dict[str, bool]
"""A declared name, and whether it is there."""


def toolchains() -> list[Path]:
    default = Path("~/.cache/goprobe/toolchains").expanduser()
    home = Path(os.environ.get("GOPROBE_TOOLCHAINS", default))
    found = list(home.glob("go-*/go/bin/go"))
    return sorted(found, key=lambda go: _numbers(go.parts[-4]))


def _numbers(name: str) -> list[int]:
    return [int(part) for part in name.removeprefix("go-").split(".") if part.isdecimal()]


def read(go: Path) -> tuple[str, Names]:
    """The release of a toolchain, and which declared names its runtime has."""
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "main"
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}
        subprocess.run([go, "build", "-o", binary, PROGRAM], check=True, env=environment)
        elf = ElfFile(binary)
        debug = DebugInfo(elf)
        return str(GoProgram(elf).go), dict(declared(debug))


def declared(debug: DebugInfo) -> Iterator[tuple[str, bool]]:
    for name, paths in STRUCTS.items():
        struct = _struct(debug, name.rstrip("?"))
        yield f"struct {name}", struct is not None
        for path in paths if struct else ():
            yield f"{name.rstrip('?')}.{path}", _has(debug, struct, path.rstrip("?"))
    for name in CONSTANTS:
        known = debug.index.constants
        yield f"const {name}", any(_qualified(n) in known for n in name.split("|"))
    roots = roots_from_debug(debug)
    for name in ROOTS:
        yield f"var {name}", name in roots


def undeclared() -> Iterator[str]:
    """What is asked for by name, and not declared: where it is needed, it would not be there."""
    known = {
        (struct.rstrip("?").partition("|")[0], path.rstrip("?"))
        for struct, paths in STRUCTS.items()
        for path in paths
    }
    asked = re.findall(r"""(?:offset|has)\(\s*"([^"]+)",\s*(f?)"([^"]+)"[,)]""", _code())
    for struct, built, path in asked:
        if built:
            yield f"{struct}.{path}: write the name out, so that it can be found"
        elif (struct, path) not in known:
            yield f"{struct}.{path}"


def _code() -> str:
    files = (f for f in (ROOT / "goprobe").rglob("*.py") if f.name != "fields.py")
    return "\n".join(f.read_text() for f in files)


def unread() -> Iterator[str]:
    """What is declared, but stands nowhere else in goprobe."""
    text = _code()
    for name, paths in STRUCTS.items():
        if not _stands_in(text, name.rstrip("?").partition("|")[0]):
            yield f"struct {name}"
        yield from (f"{name}.{p}" for p in paths if not _stands_in(text, p.rstrip("?")))
    for names in CONSTANTS:
        if not any(_stands_in(text, n.rpartition(".")[2]) for n in names.split("|")):
            yield f"const {names}"
    yield from (f"var {name}" for name in ROOTS if not _stands_in(text, name))


def _stands_in(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) is not None


def _qualified(name: str) -> str:
    return name if "/" in name or "." in name else f"runtime.{name}"


def _struct(debug: DebugInfo, names: str) -> GoType | None:
    for name in names.split("|"):
        try:
            return debug.type_named(_qualified(name))
        except KeyError:
            continue
    return None


def _has(debug: DebugInfo, struct: GoType | None, path: str) -> bool:
    for part in path.split("."):
        try:
            assert struct
            struct = debug.types.at(struct.member(part).type)
        except KeyError:
            return False
    return True


def optional(name: str) -> bool:
    """Constants and globals may all be missing: who reads one asks whether it is there."""
    return name.endswith("?") or name.startswith(("const ", "var "))


def report(found: dict[str, Names]) -> bool:
    """Prints what is missing where; whether all is as declared."""
    good = True
    for name in sorted({n for names in found.values() for n in names}):
        lacking = [go for go, names in found.items() if not names.get(name, True)]
        if not lacking:
            continue
        everywhere = len(lacking) == len(found) > 1
        wrong = not optional(name) or everywhere
        good = good and not wrong
        where = "in no release" if everywhere else f"not in {', '.join(lacking)}"
        print(f"{'WRONG   ' if wrong else 'optional'}  {name}: {where}")
    print(f"{len(found)} toolchains, {'all as declared' if good else 'NOT as declared'}")
    return good


def main() -> None:
    programs = [Path(a) for a in sys.argv[1:]] or toolchains()
    if not programs:
        sys.exit("no Go toolchain found: scripts/install-toolchains gets them")
    idle, unknown = list(unread()), list(undeclared())
    for name in idle:
        print(f"WRONG     {name}: nothing reads it")
    for name in unknown:
        print(f"WRONG     {name}: read, and not declared")
    sys.exit(0 if report(dict(map(read, programs))) and not idle and not unknown else 1)


if __name__ == "__main__":
    main()
