"""Runs inside GDB: what GDB itself knows of the frames of goroutines that are parked.

A witness for `goroutines --locals` that shares no code with goprobe. GDB knows threads alone: one
of them is given the registers that a parked goroutine was left with, as Go's own runtime-gdb.py
does, and its stack is walked. The process is of no use afterwards.

    gdb -nx -batch -p PID -x gdb_parked.py
        -ex "python parked = [[id, sp, pc, fp], ...]; out = '...'; script = '...'"
"""

# mypy: ignore-errors
from __future__ import annotations

import json
import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(script)))  # noqa: F821, PTH120, PTH100
import gdb_witness

MAX_FRAMES = 40


def frames_of(sp, pc, fp):
    for register, value in (("rsp", sp), ("rbp", fp), ("rip", pc)):
        gdb.execute(f"set ${register} = {value:#x}", to_string=True)
    found = []
    frame = gdb.newest_frame()
    while frame is not None and frame.is_valid() and len(found) < MAX_FRAMES:
        place = {"pc": int(frame.pc()), "line": frame.find_sal().line, "function": frame.name()}
        try:
            variables = gdb_witness.variables(frame, len(found))
        except (RuntimeError, gdb.error) as error:  # code without debug information
            place["why"], variables = str(error), []
        found.append({**place, "variables": variables})
        try:
            frame = frame.older()
        except gdb.error:
            break
    return found


def main():
    for setting in ("pagination off", "debuginfod enabled off", "confirm off"):
        gdb.execute(f"set {setting}")
    told = {number: frames_of(*registers) for number, *registers in parked}  # noqa: F821
    with open(out, "w") as file:  # noqa: F821
        json.dump(told, file)


main()
