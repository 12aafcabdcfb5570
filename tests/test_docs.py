"""The documents: their links lead somewhere, and what they say to type is a command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import jq  # type: ignore[import-not-found]
import pytest

from goprobe.cli import COMMANDS
from goprobe.cli.parse import parse
from tests.support.cli import environment, goprobe
from tests.support.go import Running, build, running

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
TYPED = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for block in re.findall(r"```.*?```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in re.findall(r"^(?:\$ )?goprobe (.*)$", block, re.MULTILINE)
]

JQ = re.findall(
    r"^goprobe (.*?) \| jq (.*)$", (ROOT / "docs/json.md").read_text("utf-8"), re.MULTILINE
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith(("http", "#")):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_every_page_is_in_the_site() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert {page.name for page in (ROOT / "docs").glob("*.md")} == set(
        re.findall(r"[\w-]+\.md", site)
    )


@pytest.mark.parametrize("line", TYPED)
def test_what_is_typed_is_a_command_line(line: str) -> None:
    parse(shlex.split(line.partition(" | ")[0]), COMMANDS)  # made ready, and not run


@pytest.fixture(scope="module")
def leaky() -> Iterator[Running]:
    binary = build(ROOT / "testdata/leaky.go")
    with running(binary, "-requests", "200", ready="ready") as started:
        yield started


def test_the_tour_finds_the_four_leaks(leaky: Running) -> None:
    pid = str(leaky.pid)
    first = goprobe("heap", pid, "--retained", env=environment(COLUMNS="80")).text
    held = first[first.index("Held: ") :].split("\n\n")[0]
    assert "main.titles" in held
    report = goprobe("heap", pid, "--types", "--retained", "--json").json
    types = {t["type"]: t["objects"] for t in report["types"]}
    assert types["main.upload"] == 200
    assert types["main.Visit"] == 200
    assert types["main.Session"] == 100
    path = goprobe("heap", pid, "--path", "main.Visit#7", "--json").json["path_texts"][0]
    assert path.startswith("main.store.sessions")
    leaked = goprobe("goroutines", pid, "--leaked", "--json")
    assert (leaked.code, leaked.json["leaks"]["leaked"]) == (1, 200)


@pytest.mark.parametrize(("asked", "query"), JQ, ids=[query for _, query in JQ])
def test_the_jq_examples_work(leaky: Running, asked: str, query: str) -> None:
    """By jq's own code, as a library: every machine that runs the tests has it."""
    ran = goprobe(*shlex.split(asked.replace("shop", str(leaky.pid))))
    *_, program = shlex.split(query)
    told = jq.compile(program).input_text(ran.text).all()
    assert told
    assert None not in told
