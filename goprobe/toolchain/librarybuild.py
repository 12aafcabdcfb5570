"""A library as a program that uses all it exports: code that nothing calls is in no binary.

The program is a file of an overlay (go help build, -overlay, Go 1.16 on) inside of the module, so
that internal packages may be used; nothing is written beside the user's files. Generic functions
have code where they are used, and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from goprobe.counts import counted
from goprobe.errors import UsageError
from goprobe.files import read_regular
from goprobe.toolchain.build import Progress, run_go
from goprobe.toolchain.cache import build_folder
from goprobe.toolchain.environment import go_environment
from goprobe.toolchain.escapebuild import EscapeBuild, GoPackage, build_program
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.gosource import code_only

_FUNCTION = re.compile(r"^func ([A-Z]\w*)\(", re.M)
_METHOD = re.compile(r"^func \(\s*(?:\w+\s+)?\*?([A-Z]\w*)\)\s+([A-Z]\w*)\(", re.M)
_MOST = 1 << 26
_MAIN = """package main

import (
{imports})

var used = []any{{
{uses}}}

func main() {{
	for _, use := range used {{
		println(use)
	}}
}}
"""


def build_library(
    packages: Sequence[GoPackage], go: GoTool, *, flags: Sequence[str], progress: Progress | None
) -> EscapeBuild:
    """A binary of all that the packages export. Raises UsageError (they are of no module, or export
    no code) and BuildError."""
    module = _module(packages[0], go)
    text = _program(packages)
    name = f"goprobe-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    folder = build_folder(f"library-{hashlib.sha256(f'{module}{name}'.encode()).hexdigest()[:16]}")
    source, overlay = folder / "main.go", folder / "overlay.json"
    source.write_text(text)
    place = module / name
    overlay.write_text(json.dumps({"Replace": {str(place / "main.go"): str(source)}}))
    program = GoPackage(
        f"{packages[0].path} (all that it exports)"
        if len(packages) == 1
        else f"{counted(len(packages), 'package')} (all that they export)",
        "main",
        place,
        (place / "main.go",),
        (f"./{name}",),
        module,
    )
    return build_program(
        (program, *packages), go, flags=(*flags, f"-overlay={overlay}"), progress=progress
    )


def _module(package: GoPackage, go: GoTool) -> Path:
    _, output, _ = run_go((str(go.path), "env", "GOMOD"), package.directory, go_environment())
    file = Path(output.decode(errors="replace").strip() or "/dev/null")
    if file.name != "go.mod":
        raise UsageError(f"{package.path} is of no module: there is no go.mod above it")
    return file.parent


def _program(packages: Sequence[GoPackage]) -> str:
    imports, uses = [], []
    for number, package in enumerate(packages):
        names = list(dict.fromkeys(_exported(package, f"p{number}")))
        if names:
            imports.append(f'\tp{number} "{package.path}"\n')
            uses += [f"\t{name},\n" for name in names]
    if not uses:
        raise UsageError(f"{packages[0].path} exports no code")
    return _MAIN.format(imports="".join(imports), uses="".join(uses))


def _exported(package: GoPackage, alias: str) -> Iterator[str]:
    for file in package.files:
        text = code_only(read_regular(file, _MOST).decode(errors="replace"))
        yield from (f"{alias}.{match[1]}" for match in _FUNCTION.finditer(text))
        for match in _METHOD.finditer(text):
            yield f"(*{alias}.{match[1]}).{match[2]}"
            yield f"(*{alias}.{match[1]})(nil)"
