"""What docs/json-reference.md says: every report that --json writes, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goprobe.model.report import Report
from goprobe.report.schema import REPORTS, make

FILE = Path(__file__).parents[2] / "docs" / "json-reference.md"

_TITLE = """\
# JSON reference

Made by `scripts/make-schemas` from the schemas (`goprobe/report/schemas/`), which are made from the
code. How it is used, and what is promised of it: [json.md](json.md). A field with a unit is a
number. `?` after a type: it is left out where it does not apply, or is not known, with a reason.
"""

Schema = dict[str, Any]

_ROOTS = {kind.__name__ for kind in REPORTS.values()}


def document() -> str:
    made = {name: make(name) for name in sorted(REPORTS)}
    shared = _shared(made)
    parts = [_TITLE, "## The head of each report\n"]
    root = made["goprobe.ps/1"]["$defs"]["PsReport"]
    root["properties"]["schema"]["const"] = "goprobe.NAME/1"
    of_all = list(Report.__struct_fields__)
    parts.append(_fields(root, of_all))
    for name, schema in made.items():
        parts += _report(name, schema, of_all, shared)
    parts.append("## Parts of several reports\n")
    for part, what in sorted(shared.items()):
        parts += _part(part, what)
    return "\n".join(parts).rstrip() + "\n"


def _shared(made: dict[str, Schema]) -> dict[str, Schema]:
    """The structs that are in more than one report, alike; reports themselves are told once."""
    seen: dict[str, list[Schema]] = {}
    for schema in made.values():
        for part, what in schema["$defs"].items():
            seen.setdefault(part, []).append(what)
    return {
        part: all_[0]
        for part, all_ in seen.items()
        if part not in _ROOTS and len(all_) > 1 and all(each == all_[0] for each in all_)
    }


def _report(name: str, schema: Schema, told: list[str], shared: dict[str, Schema]) -> Iterator[str]:
    own = schema["$defs"][REPORTS[name].__name__]
    yield f"## {name}\n"
    yield own.get("description", "") + "\n"
    yield _fields(own, [field for field in own["properties"] if field not in told])
    for part, what in sorted(schema["$defs"].items()):
        if part not in _ROOTS and part not in shared:
            yield from _part(part, what)


def _part(name: str, what: Schema) -> Iterator[str]:
    yield f"### {name}\n"
    if description := what.get("description", ""):
        yield description + "\n"
    if "enum" in what:
        yield "One of " + ", ".join(f"`{value}`" for value in what["enum"]) + ".\n"
    if what.get("properties"):
        yield _fields(what, list(what["properties"]))


def _fields(what: Schema, names: list[str]) -> str:
    if not names:
        return ""
    required = what.get("required", ())
    lines = ["| field | type | unit |", "|---|---|---|"]
    for name in names:
        values = what["properties"][name]
        missing = "" if name in required or "default" in values else "?"
        lines.append(f"| `{name}` | {_type(values)}{missing} | {values.get('x-unit', '')} |")
    return "\n".join(lines) + "\n"


def _type(values: Schema) -> str:
    if "const" in values:
        return f"`{values['const']}`"
    if "$ref" in values:
        return str(values["$ref"]).removeprefix("#/$defs/")
    if "anyOf" in values:
        return " or ".join(dict.fromkeys(map(_type, values["anyOf"])))
    if values.get("pattern") == "^0x[0-9a-f]+$":
        return "address"
    if values.get("type") == "array":
        return f"list of {_type(values.get('items') or {})}" if values.get("items") else "list"
    if values.get("type") == "object":
        inner = values.get("additionalProperties")
        return f"object of {_type(inner)}" if isinstance(inner, dict) else "object"
    return str(values.get("type", "any"))
