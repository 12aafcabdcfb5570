from __future__ import annotations

import json
import tracemalloc

import msgspec
from msgspec.structs import replace

from goprobe.model.codec import from_json, to_json
from goprobe.model.trace import TraceReport
from goprobe.report import RenderOptions, formats, render
from goprobe.report.escaping import escape_json
from tests.report.samples import hello, msg
from tests.report.screen import raw_characters


def test_a_report_comes_back_from_its_json() -> None:
    data = render(hello(), "json", RenderOptions())
    again = from_json(data, TraceReport)
    assert render(again, "json", RenderOptions()) == data
    # Details of a location have no types of their own: addresses come back as their text.
    assert again.stops[0] == hello().stops[0]
    assert [s.pc for s in again.stops] == [s.pc for s in hello().stops]


def test_addresses_are_hex_strings_and_the_schema_is_named() -> None:
    document = json.loads(render(hello(), "json", RenderOptions()))
    found = document["stops"][1]["variables"][1]
    assert document["schema"] == "goprobe.trace/1"
    assert (found["name"], found["state"], found["address"]) == ("msg", "live", "0xc00009cf20")
    assert found["data"]["location"]["kind"] == "rodata"
    assert found["data"]["text"] == "Hello, Go!"


def test_json_on_a_terminal_is_harmless_too() -> None:
    text = "\x1b[2J \x9b31m \u202e \x7f 世界"
    data = render(hello([msg(text)]), "json", RenderOptions())
    assert raw_characters(data) == set()
    assert json.loads(data)["stops"][1]["variables"][0]["data"]["text"] == text
    assert "世界".encode() in data


def test_a_path_that_is_not_utf8_is_written_as_its_bytes() -> None:
    path = b"/tmp/\xff/hello".decode("utf-8", "surrogateescape")
    document = json.loads(render(hello(path=path), "json", RenderOptions()))
    assert document["binary"]["path"] == "/tmp/\\xff/hello"
    assert document["map"][0]["low"] == "0x400000"


def test_long_lists_are_written_part_by_part_and_read_the_same() -> None:
    report = hello()
    many = replace(
        report, stops=report.stops * 600, warnings=tuple(f"世 \x9b {i}" for i in range(2500))
    )
    whole = escape_json(msgspec.json.format(to_json(many), indent=2)) + b"\n"
    assert render(many, "json", RenderOptions()) == whole
    assert len(many.stops) > 1000


def test_a_large_report_takes_little_more_than_its_json() -> None:
    one = replace(hello(), warnings=tuple(f"{i:0300}" for i in range(50_000)))
    tracemalloc.start()
    try:
        size = len(render(one, "json", RenderOptions()))
        assert tracemalloc.get_traced_memory()[1] < 1.7 * size
    finally:
        tracemalloc.stop()


def test_the_formats_of_a_trace_are_known() -> None:
    assert formats(TraceReport)[:2] == ("text", "json")
    assert formats(int) == ()
