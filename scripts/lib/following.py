"""Which files one has to read to follow a question from its command line to what is printed.

    scripts/follow heap PID --types

The question is asked for real, and every call from one file of goprobe to another is noted. Read
from top to bottom, the files are those of `Story`; where each is called from is said beside it.
"""

from __future__ import annotations

import ast
import gc
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "goprobe"
TELLING = ("cli/", "analysis/", "target/", "report/")
"""The rooms in which a question is asked and answered: their files are read. Of the rooms below,
which are called by them, the file that is called is read: what it promises, not what it calls."""
COMMON = (("where", "PID", "0xc000010000"), ("maps", "PID"), ("goroutines", "PID"), ("heap", "PID"))


class Call(msgspec.Struct, frozen=True):
    """The first call of a function from another file. `data`: it only looks something up."""

    caller: str
    file: str
    function: str
    data: bool


class Run(msgspec.Struct, frozen=True):
    """What a command line called, in the order of its first calls."""

    files: tuple[str, ...]
    calls: tuple[Call, ...]


class Step(msgspec.Struct, frozen=True):
    """A file to read, and the function by which a file read before calls it."""

    file: str
    caller: str
    function: str


class Story(msgspec.Struct, frozen=True):
    """`own` are the question's own files, in the order in which they are come to: all that the
    command's file calls, and what that calls, as far as TELLING says. Files that every question
    goes through (COMMON) are own only where they call an own one; `common` are the rest of those
    that tell something. `below` is how many more files take part, behind what was called."""

    own: tuple[Step, ...]
    common: tuple[Step, ...]
    below: int


def story_of(arguments: Sequence[str], pid: int) -> Story:
    """What one has to read to follow this command line."""
    run = observed(arguments)
    others = [line for line in COMMON if line[0] != arguments[0]]
    shared = set(run.files).intersection(*(_files(line, pid) for line in others))
    steps = list(_steps(run, f"cli/{arguments[0]}.py"))
    reached = {step.file for step in steps} - shared
    calling = {step.caller for step in steps if step.file in reached}
    own = tuple(step for step in steps if step.file in reached | calling)
    common = tuple(s for s in steps if s not in own and s.file.startswith(TELLING))
    return Story(own, common, len(set(run.files) - {s.file for s in (*own, *common)}))


def _files(line: Iterable[str], pid: int) -> set[str]:
    return set(observed([str(pid) if word == "PID" else word for word in line]).files)


def _steps(run: Run, start: str) -> Iterable[Step]:
    """Every file that is called by one read before, beginning with who calls the command."""
    first = next(call for call in run.calls if call.file == start)
    steps = {first.caller: Step(first.caller, "", "main")}
    read = {first.caller}
    missed = True
    while missed:  # a file may be called before it is known that its caller is read
        missed = False
        for call in run.calls:
            if call.caller in read and not call.data and call.file not in steps:
                steps[call.file] = Step(call.file, call.caller, call.function)
                if call.file.startswith(TELLING):
                    read.add(call.file)
                    missed = True
    order = {file: i for i, file in enumerate(dict.fromkeys(c.file for c in run.calls))}
    return sorted(steps.values(), key=lambda step: order.get(step.file, -1))


def observed(arguments: Sequence[str]) -> Run:
    """What goprobe calls on this command line, in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.lib.following", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Run)


def _observe(arguments: Sequence[str]) -> Run:
    from goprobe.cli import COMMANDS
    from goprobe.cli.run import run

    seen: dict[tuple[CodeType | None, CodeType], None] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and _is_ours(frame) and _is_function(frame):
            caller = frame.f_back
            while caller is not None and not _is_ours(caller):
                caller = caller.f_back  # through the standard library, click, numpy
            if caller is None or _is_function(caller):  # not what is done when a file is imported
                seen.setdefault((caller.f_code if caller else None, frame.f_code))

    sys.setprofile(note)
    code = run(arguments, COMMANDS)
    sys.setprofile(None)
    if code:
        raise SystemExit(code)
    looked_up = _properties()
    calls = [
        Call(_name(caller), _name(called), called.co_qualname, _is_data(called, looked_up))
        for caller, called in seen
        if caller is not None and caller.co_filename != called.co_filename
    ]
    files = dict.fromkeys(_name(called) for _, called in seen)
    return Run(tuple(files), tuple(calls))


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(f"{SOURCE}/")


def _is_function(frame: FrameType) -> bool:
    """And not the body of a module or a class."""
    return bool(frame.f_code.co_flags & CO_OPTIMIZED)


def _name(code: CodeType) -> str:
    return str(Path(code.co_filename).relative_to(SOURCE))


def _is_data(code: CodeType, looked_up: set[CodeType]) -> bool:
    """Whether a call only looks at data that is there: a property, a length, an element."""
    special = code.co_name.startswith("__") and code.co_name not in ("__init__", "__call__")
    return special or code in looked_up


def _properties() -> set[CodeType]:
    kinds = [each for each in gc.get_objects() if isinstance(each, type)]
    got = [v.fget for kind in kinds for v in vars(kind).values() if isinstance(v, property)]
    return {get.__code__ for get in got if isinstance(get, FunctionType)}


def purpose(file: str) -> str:
    """The first sentence of a file's docstring."""
    told = ast.get_docstring(ast.parse((SOURCE / file).read_text())) or ""
    return " ".join(told.split("\n\n")[0].split())


def main(arguments: Sequence[str]) -> None:
    """Print the story of a command line."""
    story = story_of(arguments, int(arguments[1]))
    print(f"goprobe {' '.join(arguments)}: {len(story.own)} files to read\n")
    _print(story.own)
    print(f"\n{len(story.common)} more that every question goes through\n")
    _print(story.common)
    print(f"\n{story.below} more lie behind what these call, and in model/")


def _print(steps: Sequence[Step]) -> None:
    for step in steps:
        print(f"{step.file:34} {purpose(step.file)}")
        print(f"{'':34}   {step.caller or 'the command line'} calls {step.function}")


if __name__ == "__main__":
    print()
    print(json.dumps(msgspec.to_builtins(_observe(sys.argv[1:]))))
