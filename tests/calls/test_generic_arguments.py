"""Arguments of generic code that has no need of its dictionary: up to Go 1.26 optimised code does
not describe it, and what comes behind it travels one register on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import goprobe
from tests.support.go import build, matrix

_PROGRAM = """package main

type box[T any] struct{ v T }

//go:noinline
func (b box[T]) get(n int) (T, int) { return b.v, n * 2 }

//go:noinline
func (b *box[T]) set(v T) (old T) { old = b.v; b.v = v; return }

//go:noinline
func id[T any](x T) T { return x }

//go:noinline
func two[A, B any](a A, b B) (B, A) { return b, a }

//go:noinline
func last[T any](_ T, a, b T) T { return b }

func main() {
	b := box[string]{"v"}
	b.get(4)
	b.set("w")
	id(7)
	id("text")
	two(1, "s")
	two([2]string{"a", "b"}, 2.5)
	last(1, 2, 3)
}
"""
_EXPECTED = {
    "get": [['{v:"v"}', "4"]],
    "set": [['&{v:"v"}', '"w"']],
    "id": [["7"], ['"text"']],
    "two": [["1", '"s"'], ['["a" "b"]', "2.5"]],
    "last": [["1", "2", "3"]],
}


@pytest.mark.parametrize("go", matrix())
def test_arguments_of_generic_functions(go: str, tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_PROGRAM)
    binary = build(tmp_path / "main.go", go=go)
    names = ("main.id", "main.two", "main.last", "main.box.*", "main.(*box).*")
    ran = goprobe("calls", str(binary), *names, "--args", "--results", "--json", timeout=100)
    assert ran.code == 0, ran.err
    told: dict[str, list[Any]] = {}
    *calls, _ = map(json.loads, ran.text.splitlines())
    for call in calls:
        name = re.sub(r"\[.*\]", "", call["function"]).rpartition(".")[2]
        texts = [a["text"] for a in call.get("arguments", ())]
        told.setdefault(name, []).append(texts or call["no_arguments"])
    if go != "1.27":  # a blank parameter is not described there
        assert "does not describe" in told.pop("last")[0]
    assert told == {name: _EXPECTED[name] for name in told}
    assert len(told) >= 4
