"""The JSON Schemas of the reports, made from the structs that are the reports.

They are shipped in `schemas/`; `scripts/make-schemas` writes them and a test holds the two
together. A struct field that is added shows there as a change to review.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from importlib import resources
from inspect import cleandoc
from typing import Any

import msgspec

import goprobe.model
from goprobe.model.address import Address
from goprobe.model.report import Report, schema_of
from goprobe.report.units import unit_of

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ADDRESS = {
    "type": "string",
    "pattern": "^0x[0-9a-f]+$",
    "description": "An address of the target, in lower-case hex.",
}


def _reports() -> dict[str, type]:
    for module in pkgutil.iter_modules(goprobe.model.__path__):
        importlib.import_module(f"goprobe.model.{module.name}")
    kinds, reports = list(Report.__subclasses__()), dict[str, type]()
    for kind in kinds:
        kinds += kind.__subclasses__()
        if schema := schema_of(kind):
            reports[schema] = kind
    return reports


HEAD = ("schema", "goprobe", "time", "host", "pid", "go")
"""What every report begins with."""

REPORTS = _reports()
"""Every report that goprobe writes as JSON, by the name in its `schema` field: each struct of
`goprobe.model` that is one."""


def make(name: str) -> dict[str, Any]:
    """The JSON Schema of the reports that carry this name in their `schema` field."""
    kind = REPORTS[name]
    (root,), parts = msgspec.json.schema_components(
        [kind], schema_hook=_address, ref_template="#/$defs/{name}"
    )
    report = parts[kind.__name__]
    report["properties"]["schema"] = {"const": name}
    report["required"] = list(dict.fromkeys([*HEAD, *report["required"]]))
    for part in parts.values():
        if "description" in part:
            part["description"] = cleandoc(part["description"])
        for field, values in part.get("properties", {}).items():
            if _is_number(values):
                values["x-unit"] = unit_of(field)
    return {"$schema": _DIALECT, "$id": name, "title": f"{name} report", **root, "$defs": parts}


def document(name: str) -> str:
    """The schema as it stands in its file."""
    return json.dumps(make(name), indent=2, ensure_ascii=False) + "\n"


def file_name(name: str) -> str:
    """The file in `schemas/`: "goprobe.trace/1" is trace-1.json."""
    return name.removeprefix("goprobe.").replace("/", "-") + ".json"


def shipped(name: str) -> dict[str, Any]:
    """The schema that the package carries; KeyError where there is no report of that name."""
    if name not in REPORTS:
        raise KeyError(name)
    file = resources.files("goprobe.report") / "schemas" / file_name(name)
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def _is_number(values: dict[str, Any]) -> bool:
    return values.get("type") in ("integer", "number") or any(
        _is_number(each) for each in values.get("anyOf", ())
    )


def _address(report_type: type) -> dict[str, Any]:
    if report_type is Address:
        return dict(_ADDRESS)
    raise NotImplementedError(f"no JSON Schema for {report_type.__name__}")
