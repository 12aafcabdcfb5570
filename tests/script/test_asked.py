"""What a script asks of the heap, of results, of writes and of events where the program stands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from goprobe.errors import NoSuchElementError, UsageError
from tests.support import go

SOURCE = Path("testdata/sessions/asked.go")


@pytest.fixture(scope="module", params=go.matrix())
def binary(request: pytest.FixtureRequest) -> str:
    flags = ("-gcflags=all=-N -l",)
    return str(go.build(SOURCE, go=request.param, flags=flags))


@pytest.fixture
def program(binary: str) -> Iterator[goprobe.Program]:
    with goprobe.launch(binary, ["true"], stdout=2) as program:
        yield program


def test_the_heap_at_a_stop(program: goprobe.Program, tmp_path: Path) -> None:
    stop = next(program.run(["main.count"]))
    types = {t.type: t.objects for t in stop.heap(types=True).types}
    assert types["main.Session"] == 3
    sessions = program.objects("main.Session")
    assert sorted(each.ID.py for each in sessions) == [0, 1, 2] and len(sessions[:2]) == 2
    last = next(each for each in sessions if each.ID == 0)
    assert last.Next is not None and last.Next == None  # noqa: E711
    path = stop.path_to(last)
    assert path is not None and path.text == "main.first.Next.Next"
    assert path.steps[-1].address == last.address
    assert stop.heap().census.objects > 3
    with pytest.raises(UsageError, match="no type main"):
        program.objects("main.Nope")
    with pytest.raises(UsageError, match="no object of the heap"):
        stop.path_to(program["main.counter"])
    next(program.run(["main.count"]))
    with pytest.raises(UsageError, match="is over"):
        sessions[0].ID  # noqa: B018


def test_a_variable_of_a_package_lies_somewhere(binary: str, tmp_path: Path) -> None:
    """It was told to lie nowhere, or where it leads to; and no watch knew it by its own name."""

    def asked(program: goprobe.Program) -> object:
        stop = next(program.run(["main.count"]))
        counter, first = program["main.counter"], program["main.first"]
        assert counter.location.address == counter.address
        assert counter.location.kind in ("bss", "data") and "main.counter" in counter.location.name
        assert first.location.kind in ("bss", "data") and first.data.location.kind == "heap"
        with pytest.raises(NoSuchElementError, match="no variable countre in scope, and pack"):
            stop.watch("countre")
        lie = str(counter.location), str(first.location)
        hit = next(stop.watch("counter"))
        return lie, str(hit.old), str(hit.new)

    with goprobe.launch(binary, stdout=2, record=tmp_path / "r") as launched:
        live = asked(launched)
    with goprobe.replay(tmp_path / "r") as replayed:
        assert asked(replayed) == live


@pytest.mark.parametrize("release", go.matrix())
def test_results_of_a_program_that_was_moved(release: str) -> None:
    """Whose code lies elsewhere than it says (PIE): nothing described what was given back."""
    binary = str(go.build(SOURCE, go=release, flags=("-buildmode=pie",)))
    with goprobe.launch(binary, stdout=2) as program:
        back = next(program.run(["main.open"])).finish()
        assert back is not None and back.results[0].ID.py == 0 and back.results[1] == None  # noqa: E711


def test_what_has_no_value_is_no_text() -> None:
    """It was an empty one."""
    binary = str(go.build(SOURCE, flags=()))
    with goprobe.launch(binary, stdout=2) as program:
        for stop in program.run(["main.main", "main.count"]):
            for name in {v.name for v in stop.variables if v.value is UNSET}:
                value = stop[name]
                if value.value is None:
                    with pytest.raises(UsageError, match="has no value here"):
                        str(value)
                    return
    pytest.fail("every variable has a value")


def test_results_behind_a_call(program: goprobe.Program) -> None:
    told = []
    for stop in program.run(["main.open"]):
        with pytest.raises(UsageError, match="finish"):
            stop.results["~"]
        back = stop.finish()
        assert back is not None and back.function == "main.main"
        told.append((back.results[0] == None, back.results[1].text))  # noqa: E711
    assert [nil for nil, _ in told] == [False, False, False, True]
    assert told[0][1] == "nil" and "too many" in told[3][1]


def test_floats_and_names_of_results(program: goprobe.Program) -> None:
    stop = next(program.run(["main.count"], when="by == 3"))
    back = stop.finish()
    assert back is not None
    assert back.results["sum"] == 6 and back.results["part"] == 1.5
    assert back.results["text"] == "sum"


def test_each_write_is_told(program: goprobe.Program) -> None:
    stop = next(program.run(["main.count"]))
    watch = stop.watch(program["main.counter"])
    hits = list(watch)
    assert [(hit.old, hit.new) for hit in hits] == [(0, 1), (1, 3), (3, 6)]
    line = next(n for n, text in enumerate(SOURCE.read_text().split("\n"), 1) if "+= by" in text)
    writers = {(hit.writer.function, hit.writer.line) for hit in hits if hit.writer}
    assert writers == {("main.count", line)}
    assert program.exit == goprobe.Exit(code=7)


def test_events(program: goprobe.Program) -> None:
    events = [goprobe.GOROUTINE_END, goprobe.FORK, goprobe.EXEC, goprobe.EXIT]
    seen = [(stop.where, stop.goroutine) for stop in program.run(events)]
    wheres = [where for where, _ in seen]
    assert wheres.count(goprobe.FORK) == 1 and wheres[-1] == goprobe.EXIT
    assert goprobe.GOROUTINE_END in wheres[: wheres.index(goprobe.FORK)]
    assert seen[-1][1] == 1


def test_a_recording_has_all_of_that(binary: str, tmp_path: Path) -> None:
    def asked(program: goprobe.Program) -> object:
        stop = next(program.run(["main.count"], when="by == 2"))
        types = stop.heap(types=True).types
        ids = [each.ID.py for each in program.objects("main.Session")]
        path = stop.path_to(program["main.first"])
        hit = next(stop.watch(program["main.counter"]))
        back = hit.stop.finish()
        assert back is not None
        return types, ids, str(path), hit.old, hit.new, hit.writer, back.results["sum"].py

    with goprobe.launch(binary, stdout=2, record=tmp_path / "r") as program:
        live = asked(program)
    with goprobe.replay(tmp_path / "r") as program:
        assert asked(program) == live


def test_how_a_stop_shows_itself(program: goprobe.Program) -> None:
    stop = next(program.run(["main.count"]))
    assert stop.goroutine == 1 and "main.count, line" in repr(stop)
    assert "<code>by</code>" in stop._repr_html_()
    assert len({stop["by"].location, stop["by"].location}) == 1
    with pytest.raises(KeyError) as raised:
        stop["bye"]
    assert "nearest: by" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    ("how", "message"),
    [("deref", "SIGSEGV: segmentation violation"), ("abort", "SIGABRT: abort")],
)
@pytest.mark.parametrize("release", go.matrix())
def test_a_signal_in_c_code_is_fatal(release: str, how: str, message: str) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("cgo needs gcc")
    source = SOURCE.with_name("csignals.go")
    binary = str(go.build(source, go=release, env={"CGO_ENABLED": "1"}))
    with goprobe.launch(binary, [how], stdout=2) as program:
        stop = next(program.run(goprobe.FATAL))
        assert stop.panic is not None and stop.panic.message == message
        assert "main.crash" in [frame.function for frame in stop.frames]
        assert program.run_to_end().code == 2
