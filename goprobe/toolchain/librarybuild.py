"""A library as a program that uses all it exports: code that nothing calls is in no binary.

The program is a file of an overlay (go help build, -overlay, Go 1.16 on) inside of the module, so
that internal packages may be used; those of a folder further down by a package that the overlay has
there. Nothing is written beside the user's files. Generic functions have code where they are used,
and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from goprobe.counts import counted
from goprobe.errors import UsageError
from goprobe.files import read_regular
from goprobe.toolchain.build import Progress, run_go
from goprobe.toolchain.cache import build_folder
from goprobe.toolchain.environment import go_environment
from goprobe.toolchain.escapebuild import OF_FILES, EscapeBuild, GoPackage, build_program
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.gosource import code_only

_FUNCTION = re.compile(r"^func ([A-Z]\w*)\(", re.M)
_METHOD = re.compile(r"^func \(\s*(?:\w+\s+)?\*?([A-Z]\w*)\)\s+([A-Z]\w*)\(", re.M)
_MOST = 1 << 26
_USER = """package {name}

import (
{imports})

var Used = []any{{
{uses}}}
"""
_MAIN = """
func main() {
	for _, use := range Used {
		println(use)
	}
}
"""


class _User(msgspec.Struct, frozen=True):
    """A package of the overlay that uses others: each by its import path, with what of it is used,
    as `{0}.F` where {0} is its name."""

    path: str
    folder: Path
    uses: dict[str, tuple[str, ...]]

    def text(self, name: str) -> str:
        imports = (f'\tp{n} "{path}"\n' for n, path in enumerate(self.uses))
        uses = (
            f"\t{use.format(f'p{n}')},\n"
            for n, all_of in enumerate(self.uses.values())
            for use in all_of
        )
        return _USER.format(name=name, imports="".join(imports), uses="".join(uses))


def build_library(
    packages: Sequence[GoPackage], go: GoTool, *, flags: Sequence[str], progress: Progress | None
) -> EscapeBuild:
    """A binary of all that the packages export. Raises UsageError (they are of no module, or export
    no code) and BuildError."""
    if packages[0].path == OF_FILES:
        raise UsageError(
            f"{packages[0].title}: a library is looked at as a package, not by its files",
            hint=f"goprobe escape --static {packages[0].directory}",
        )
    module = _module(packages[0], go)
    used = {p: u for p in packages if (u := tuple(dict.fromkeys(_exported(p))))}
    if not used:
        raise UsageError(f"{packages[0].path} exports no code")
    name = f"goprobe-{hashlib.sha256(repr((module, used)).encode()).hexdigest()[:12]}"
    main, *helpers = _users(used, module, name)
    folder = build_folder(f"library-{hashlib.sha256(f'{module}{name}'.encode()).hexdigest()[:16]}")
    place = module / name
    texts = {place / "main.go": main.text("main") + _MAIN}
    texts |= {user.folder / "used.go": user.text("used") for user in helpers}
    replace = {str(at): str(folder / f"{n}.go") for n, at in enumerate(texts)}
    for at, text in texts.items():
        Path(replace[str(at)]).write_text(text)
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": replace}))
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


def exports_code(packages: Sequence[GoPackage]) -> bool:
    return any(use for package in packages for use in _exported(package))


def _module(package: GoPackage, go: GoTool) -> Path:
    _, output, _ = run_go((str(go.path), "env", "GOMOD"), package.directory, go_environment())
    file = Path(output.decode(errors="replace").strip() or "/dev/null")
    if file.name != "go.mod":
        raise UsageError(f"{package.path} is of no module: there is no go.mod above it")
    return file.parent


def _users(used: Mapping[GoPackage, tuple[str, ...]], module: Path, name: str) -> list[_User]:
    """The program's own first. A package below a folder `internal` may be used by what lies beside
    that folder, or further down (go help packages): where that is not the module's folder, a
    package there uses it."""
    users = {module: _User("", module, {})}

    def add(path: str, folder: Path, uses: tuple[str, ...]) -> None:
        steps = _below_internal(path)
        beside = folder.parents[steps - 1] if steps else module
        if not beside.is_relative_to(module) or beside == module:
            users[module].uses[path] = uses
            return
        if beside not in users:
            parent = "/".join(path.split("/")[:-steps])
            users[beside] = _User(f"{parent}/{name}", beside / name, {})
            add(users[beside].path, users[beside].folder, ("{0}.Used",))
        users[beside].uses[path] = uses

    for package, uses in used.items():
        add(package.path, package.directory, uses)
    return list(users.values())


def _below_internal(path: str) -> int:
    """How many elements of an import path the last `internal` and what is below it are."""
    parts = path.split("/")
    return parts[::-1].index("internal") + 1 if "internal" in parts else 0


def _exported(package: GoPackage) -> Iterator[str]:
    for file in package.files:
        text = code_only(read_regular(file, _MOST).decode(errors="replace"))
        yield from (f"{{0}}.{match[1]}" for match in _FUNCTION.finditer(text))
        for match in _METHOD.finditer(text):
            yield f"(*{{0}}.{match[1]}).{match[2]}"
            yield f"(*{{0}}.{match[1]})(nil)"
