from __future__ import annotations

import json
import re
from importlib import resources

import pytest
from jsonschema_rs import Draft202012Validator, ValidationError, meta
from msgspec.structs import replace

from goprobe.model.trace import TraceReport
from goprobe.model.value import State, Value
from goprobe.report import RenderOptions, render
from goprobe.report.schema import REPORTS, document, file_name, make, shipped
from tests.report.samples import absent, hello, live, msg, on_stack, println_argument
from tests.support.schemas import hold_report, hold_written


def validator(name: str = "goprobe.trace/1") -> Draft202012Validator:
    return Draft202012Validator(shipped(name))


def as_json(report: TraceReport) -> dict[str, object]:
    found: dict[str, object] = json.loads(render(report, "json", RenderOptions()))
    return found


@pytest.mark.parametrize("name", list(REPORTS))
def test_the_shipped_schema_is_that_of_the_structs(name: str) -> None:
    file = resources.files("goprobe.report") / "schemas" / file_name(name)
    assert file.read_text(encoding="utf-8") == document(name), "run scripts/make-schemas"


@pytest.mark.parametrize("name", list(REPORTS))
def test_each_is_a_schema_and_names_itself(name: str) -> None:
    schema = make(name)
    meta.validate(schema)
    root = schema["$defs"][REPORTS[name].__name__]
    assert schema["$id"] == name
    assert root["properties"]["schema"] == {"const": name}
    assert "schema" in root["required"]


def test_no_schema_file_is_left_over() -> None:
    folder = resources.files("goprobe.report") / "schemas"
    assert {f.name for f in folder.iterdir() if f.name.endswith(".json")} == {
        file_name(name) for name in REPORTS
    }


@pytest.mark.parametrize(
    "report",
    [
        hello(),
        hello(optimized=True),
        hello([println_argument(), msg()]),
        hello([absent("x", "int", state, "why") for state in State if state is not State.LIVE]),
        hello([live("x", "int", Value("1"), where=on_stack(), moved=True)]),
    ],
)
def test_reports_are_valid(report: TraceReport) -> None:
    validator().validate(as_json(report))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "goprobe.trace/2"),
        ("pid", "4242"),
        ("stops", {}),
        ("map", [{"low": "4194304"}]),
    ],
)
def test_what_is_not_such_a_report_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        validator().validate({**as_json(hello()), key: value})


def test_whatever_a_test_makes_is_held() -> None:
    """Where a report, or what a command writes of it, is broken, the test that made it fails."""
    text = render(hello(), "json", RenderOptions())
    hold_written(text)
    broken = re.sub(rb'("pid": ?)(\d+)', rb'\1"\2"', text, count=1)
    assert broken != text
    for written in (broken, json.dumps(json.loads(broken), indent=2).encode()):
        with pytest.raises(ValidationError):
            hold_written(written)
    with pytest.raises(ValidationError):
        hold_report(replace(hello(), pid="4242"))


@pytest.mark.parametrize("address", ["0X10", "16", "0xABC", "0x", " 0x1"])
def test_an_address_is_lower_case_hex(address: str) -> None:
    document = as_json(hello())
    stops = document["stops"]
    assert isinstance(stops, list)
    stops[0]["pc"] = address
    with pytest.raises(ValidationError):
        validator().validate(document)
