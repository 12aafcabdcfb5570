"""`goprobe.toml`, or `[tool.goprobe]` of a pyproject.toml: what a project always asks for.

    [escape]
    packages = ["./..."]
    test = true
    baseline = "escape-baseline.json"
    fail-on = ["new-heap", "more-allocations=5%"]

Keys are the command's options by their names. What stands on the command line counts instead. The
nearest file upward of the current folder is read, as far as the repository's root; paths in it are
relative to its folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from goprobe.errors import UsageError
from goprobe.files import read_regular

_NAMES = ("goprobe.toml", "pyproject.toml")
_MOST = 1 << 20
_UPWARD = 64


class Settings(Struct, frozen=True):
    """A command's table of the file at `path`, {} where there is none."""

    values: Mapping[str, Any]
    path: Path | None = None

    def text(self, key: str, given: str) -> str:
        """What was given, else what the file says; a list's parts with commas between."""
        if given:
            return given
        value = self.values.get(key, "")
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str) for part in parts):
            raise self._wrong(key, "a text, or a list of texts")
        return ",".join(parts)

    def texts(self, key: str, given: Sequence[str] | None) -> list[str]:
        if given:
            return list(given)
        value = self.values.get(key, [])
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str) for part in parts):
            raise self._wrong(key, "a list of texts")
        return parts

    def flag(self, key: str, given: bool) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return given or value

    def number(self, key: str, given: int, default: int) -> int:
        """A number that is the default was not given."""
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(key, "a number")
        return given if given != default else value

    @property
    def folder(self) -> Path:
        """What packages that the file names are relative to."""
        return self.path.parent if self.path else Path.cwd()

    def place(self, key: str, given: str) -> str:
        """A path of the file's, relative to its folder."""
        text = self.text(key, given)
        return self.below(text) if text and not given else text

    def below(self, path: str) -> str:
        return str(self.path.parent / path) if self.path else path

    def _wrong(self, key: str, wanted: str) -> UsageError:
        return UsageError(f"{self.path}: {key} is to be {wanted}")


def settings(command: str, keys: Sequence[str]) -> Settings:
    """Raises UsageError for a file that is no TOML, and for keys that no option has."""
    for path, tables in _files():
        table = tables.get(command, {})
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {command} is to be a table")
        unknown = [key for key in table if key not in keys]
        if unknown:
            raise UsageError(
                f"{path}: there is no {command}.{unknown[0]}", hint=f"keys: {', '.join(keys)}"
            )
        return Settings(table, path)
    return Settings({})


def _files() -> Any:
    """The nearest file that speaks of goprobe, with its tables."""
    folder = Path.cwd()
    for at in (folder, *folder.parents)[:_UPWARD]:
        for name in _NAMES:
            path = at / name
            if path.is_file() and (tables := _tables(path)) is not None:
                yield path, tables
        if (at / ".git").exists():
            return


def _tables(path: Path) -> dict[str, Any] | None:
    try:
        read = tomllib.loads(read_regular(path, _MOST).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        if path.name != _NAMES[0]:
            return None  # others complain of their own file
        raise UsageError(f"{path} is no TOML: {error}") from None
    if path.name == _NAMES[0]:
        return read
    ours = read.get("tool", {})
    ours = ours.get("goprobe") if isinstance(ours, dict) else None
    return ours if isinstance(ours, dict) else None
