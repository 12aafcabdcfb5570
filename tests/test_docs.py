"""The documents: their links lead somewhere, and what they say to type is a command line."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jq  # type: ignore[import-not-found]
import pytest

from goprobe.cli import COMMANDS
from goprobe.cli.parse import parse
from tests.support.cli import goprobe
from tests.support.go import toolchain

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


TOUR = (ROOT / "README.md").read_text("utf-8").partition("## A tour")[2].partition("\n## ")[0]
STEPS = [
    tuple(step.split("\n", 1))
    for block in re.findall(r"```console\n(.*?)```", TOUR, re.DOTALL)
    for step in re.split(r"^\$ goprobe ", block, flags=re.MULTILINE)[1:]
]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The tour's server, built and started by the tour's own lines, under a name that no other
    process of the machine has."""
    binary = tmp_path_factory.mktemp("tour") / f"leaky-{os.getpid()}"
    (block,) = re.findall(r"```sh\n(.*?)```", TOUR, re.DOTALL)
    build, start = block.replace("/tmp/leaky", str(binary)).splitlines()
    path = f"{toolchain().parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "GOTOOLCHAIN": "local"}
    subprocess.run(build, shell=True, check=True, cwd=ROOT, env=env)
    shell = subprocess.Popen(
        start.rstrip("& "), shell=True, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
    )
    try:
        assert shell.stdout
        assert shell.stdout.readline().startswith(b"ready")
        yield binary.name
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()


@pytest.mark.parametrize(("typed", "shown"), STEPS, ids=[typed for typed, _ in STEPS])
def test_the_tour_is_as_it_is_told(leaky: str, typed: str, shown: str) -> None:
    """Line by line, but for numbers and addresses; "…" is what is left out."""
    ran = goprobe(*shlex.split(re.sub(r"\bleaky\b", leaky, typed)), env={"COLUMNS": "80"})
    assert ran.code == (1 if "--leaked" in typed else 0), ran.err
    text = re.sub(rf"\b{leaky}\b", "leaky", ran.text)
    said = iter([_plain(line) for line in text.splitlines()])
    for line in filter(None, map(_plain, shown.splitlines())):
        assert line == "…" or line in said, f"not there, or not behind the line before: {line}"


def _plain(line: str) -> str:
    line = line.replace("[]*runtime.p ", "runtime.p ")  # timers may all be one processor's
    line = re.sub(r"0x[0-9a-f]+", "0x", line)
    line = re.sub(r"[\d.,]*\d", "#", line)
    return " ".join(re.sub(r"(?<=# )(bytes|KiB|MiB)", "size", line).split())


def test_the_tour_finds_the_four_leaks(leaky: str) -> None:
    report = goprobe("heap", leaky, "--types", "--retained", "--json").json
    types = {t["type"]: t["objects"] for t in report["types"]}
    assert types["main.upload"] == 500
    assert types["main.Visit"] == 500
    assert types["main.Session"] == 100
    assert "main.titles" in report["tree"][0]["what"]
    leaked = goprobe("goroutines", leaky, "--leaked", "--json")
    assert (leaked.code, leaked.json["leaks"]["leaked"]) == (1, 500)


@pytest.mark.parametrize(("asked", "query"), JQ, ids=[query for _, query in JQ])
def test_the_jq_examples_work(leaky: str, asked: str, query: str) -> None:
    """By jq's own code, as a library: every machine that runs the tests has it."""
    ran = goprobe(*shlex.split(asked.replace("shop", leaky)))
    *_, program = shlex.split(query)
    told = jq.compile(program).input_text(ran.text).all()
    assert told
    assert None not in told
