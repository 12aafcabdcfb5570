"""Runs inside GDB: what GDB itself knows at every stop, in the form of a trace report.

A witness for the corpus that shares no code with goprobe: breakpoints, scopes, frames,
addresses, types and values are GDB's own. It knows nothing of Go's memory, of maps, channels
and interfaces, nor of what has been assigned already.

    gdb -nx -batch -ex "python breaks = [...]; out = '...'" -x gdb_witness.py BINARY
"""

# mypy: ignore-errors
from __future__ import annotations

import json
import math
import struct
from contextlib import suppress

import gdb

MAX_ELEMENTS = 200
MAX_DEPTH = 6
MAX_NODES = 3000
ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t"} | {
    "\v": r"\v",
    "\\": r"\\",
}


def memory(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""


def escaped(raw):
    """As Go's strconv.Quote writes it, without the quotes (a witness of its own)."""
    out = []
    for piece in raw.decode("utf-8", "surrogateescape"):
        code = ord(piece)
        if piece in ESCAPES:
            out.append(ESCAPES[piece])
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif code < 0x20 or code == 0x7F:
            out.append(f"\\x{code:02x}")
        elif not piece.isprintable():
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
        else:
            out.append(piece)
    return "".join(out)


def float_text(number, size):
    """As Go's %v writes it: the shortest digits that read back the same."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    digits = repr(number)
    if size == 4:
        shorter = (f"{number:.{n}g}" for n in range(1, 10))
        packed = struct.pack("f", number)
        digits = next(d for d in shorter if struct.pack("f", float(d)) == packed)
    sign = "-" if digits.startswith("-") else ""
    mantissa, _, exponent = digits.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    bare = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(bare)
    bare = bare.rstrip("0")
    if not bare:
        return sign + "0"
    if -4 <= point - 1 < 6:
        padded = bare.ljust(point, "0") if point > 0 else "0" * (1 - point) + bare
        place = max(point, 1)
        text = padded[:place] + ("." + padded[place:] if padded[place:] else "")
        return sign + text
    tail = "." + bare[1:] if bare[1:] else ""
    return f"{sign}{bare[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1):02d}"


GO_ONLY = ("hash<", "*hash<", "map<", "*map<", "hchan<", "*hchan<", "waitq<", "sudog<")


class CannotError(Exception):
    """A value that GDB has no idea of."""


def fields_of(kind):
    return [field.name for field in kind.fields()]


def scalar(value, kind):
    if kind.code == gdb.TYPE_CODE_BOOL:
        return "true" if int(value) else "false"
    if kind.code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR):
        return hex(int(value)) if str(kind) == "uintptr" else str(int(value))
    if kind.code == gdb.TYPE_CODE_FLT:
        raw = memory(int(value.address), kind.sizeof)
        return float_text(struct.unpack("f" if kind.sizeof == 4 else "d", raw)[0], kind.sizeof)
    if kind.code == gdb.TYPE_CODE_COMPLEX:
        half = kind.sizeof // 2
        raw = memory(int(value.address), kind.sizeof)
        real, imag = struct.unpack("ff" if half == 4 else "dd", raw)
        plus = float_text(imag, half)
        plus = plus if plus[0] in "+-" else "+" + plus
        return f"({float_text(real, half)}{plus}i)"
    raise CannotError(str(kind))


budget = [0]


def describe(value, depth=0):
    """{"type", "address", "size", "value", "data", "elements"} of one value."""
    kind = value.type.strip_typedefs()
    node = {"type": str(value.type)}
    if kind.code != gdb.TYPE_CODE_FUNC:
        node["size"] = kind.sizeof
    if value.address is not None:
        node["address"] = hex(int(value.address))
    budget[0] -= 1
    if depth > MAX_DEPTH or budget[0] < 0:
        return node
    with suppress(CannotError, gdb.error, UnicodeError, OverflowError, TypeError):
        node.update(parts(value, kind, depth))
    return node


def parts(value, kind, depth):
    if kind.code == gdb.TYPE_CODE_FUNC or str(kind.unqualified()).startswith(GO_ONLY):
        raise CannotError(str(kind))
    if kind.code == gdb.TYPE_CODE_PTR:
        return pointer(value, kind, depth)
    if kind.code == gdb.TYPE_CODE_ARRAY:
        low, high = kind.range()
        return several([value[i] for i in range(low, min(high + 1, MAX_ELEMENTS))], depth)
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return {"value": {"text": scalar(value, kind)}}
    names = fields_of(kind)
    if names == ["str", "len"]:
        return string(value, 1 << 21 if depth == 0 else 4096)
    if names == ["array", "len", "cap"]:
        return slice_of(value, depth)
    if names in (["_type", "data"], ["tab", "data"]):
        raise CannotError("interface")
    return structure(value, names, depth)


def pointer(value, kind, depth):
    address = int(value)
    if address == 0:
        return {"value": {"text": "nil"}}
    node = {"value": {"text": hex(address)}}
    target = kind.target().strip_typedefs()
    known = target.code != gdb.TYPE_CODE_VOID
    node["data"] = {"address": hex(address)}
    if known:
        pointee = describe(value.dereference(), depth + 1)
        text = pointee.pop("value", None)
        node["data"] = (
            pointee | {"address": hex(address)} | ({"text": text["text"]} if text else {})
        )
    return node


def string(value, limit):
    size, address = int(value["len"]), int(value["str"])
    raw = memory(address, min(size, limit))
    text = escaped(raw)
    node = {"value": {"text": text, "len": size}, "is_string": True}
    if size:
        node["data"] = {"address": hex(address), "text": text}
    return node


def inline(node):
    """A part within the text of the whole: strings stand in quotes there."""
    text = node["value"]["text"]
    return '"' + text.replace('"', r"\"") + '"' if node.get("is_string") else text


def slice_of(value, depth):
    size, cap = int(value["len"]), int(value["cap"])
    address = int(value["array"])
    if address == 0:
        return {"value": {"text": "nil", "len": 0, "cap": 0}}
    first = value["array"]
    inside = several([first[i] for i in range(min(size, MAX_ELEMENTS))], depth)
    inside.get("value", {}).update({"len": size, "cap": cap})
    inside.setdefault("value", {"text": "?", "len": size, "cap": cap})
    inside["data"] = {"address": hex(address), "elements": inside.pop("elements")}
    return inside


def several(values, depth):
    nodes = [describe(value, depth + 1) | {"name": f"[{i}]"} for i, value in enumerate(values)]
    found = {"elements": nodes}
    if all("value" in node for node in nodes):
        found["value"] = {"text": "[" + " ".join(map(inline, nodes)) + "]"}
    return found


def structure(value, names, depth):
    nodes = [
        describe(value[field], depth + 1) | {"name": field.name}
        for field in value.type.strip_typedefs().fields()
    ]
    found = {"elements": nodes}
    if all("value" in node for node in nodes):
        pairs = (f"{n['name']}:{inline(n)}" for n in nodes)
        found["value"] = {"text": "{" + " ".join(pairs) + "}"}
    return found


def variables(frame, number):
    block = frame.block()
    seen = []
    while block is not None:
        named = (s for s in block if s.is_variable or s.is_argument)
        seen += [variable(symbol, frame, number) for symbol in named]
        if block.function is not None:
            break
        block = block.superblock
    # What is declared further down means nothing yet, whatever block it is in.
    here = frame.find_sal().line
    seen.sort(key=lambda v: v["line"] > here)
    moved = {v["name"] for v in seen if v["by_reference"]}
    return [v for v in seen if v["by_reference"] or v["name"] not in moved]


def variable(symbol, frame, number):
    base = {"name": symbol.name.removeprefix("&"), "frame": number, "line": symbol.line}
    base["by_reference"] = symbol.name.startswith("&")
    try:
        value = symbol.value(frame)
        if symbol.name.startswith("&"):
            # Also what a closure captured by reference, which moved nowhere: GDB cannot tell.
            value = value.dereference()
        value.fetch_lazy()
        budget[0] = MAX_NODES
        return describe(value) | base
    except gdb.error as error:
        return base | {"why": str(error)}


def stop():
    frames, found = [], []
    frame = gdb.newest_frame()
    while frame is not None and frame.is_valid() and len(frames) < 60:
        where = frame.find_sal()
        file = where.symtab.filename if where.symtab else ""
        name = frame.name() or ""
        inlined = frame.type() == gdb.INLINE_FRAME
        frames.append({"function": name, "file": file, "line": where.line, "inlined": inlined})
        if "/testdata/" in file:
            found += variables(frame, len(frames) - 1)
        frame = frame.older()
    first = {key: frames[0][key] for key in ("function", "file", "line")}
    return first | {"frames": frames, "variables": found}


def main():
    for setting in ("pagination off", "startup-with-shell off", "debuginfod enabled off"):
        gdb.execute(f"set {setting}")
    for name in ("SIGURG", "SIGPIPE", "SIGPROF"):
        gdb.execute(f"handle {name} nostop noprint pass", to_string=True)
    for where in breaks:  # noqa: F821 (set by the command line)
        gdb.Breakpoint(where)
    stops = []
    gdb.execute("run")
    while gdb.selected_inferior().pid and len(stops) < 500:
        stops.append(stop())
        gdb.execute("continue")
    with open(out, "w") as file:  # noqa: F821
        json.dump({"stops": stops, "exit": {"code": int(gdb.parse_and_eval("$_exitcode"))}}, file)


if "breaks" in globals():  # else it is imported, for what it knows of values
    main()
