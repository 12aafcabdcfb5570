"""How often a GODEBUG setting made the program behave as an older release would.

Source: src/internal/godebug/godebug.go (Setting.IncNonDefault, register), internal/godebugs
(table.go: All), runtime/metrics.go (initMetrics: every setting that is not opaque has a metric),
runtime/runtime.go (godebugInc: settings that the runtime itself counts, as panicnil), Go 1.21 to
1.27. Settings of one name share one counter.
"""

from __future__ import annotations

from collections.abc import Iterator

from goprobe.binary.dwarf.info import DebugInfo
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import Record, read_whole

_MOST = 1 << 12
_MOST_NAME = 256
_TABLE = "internal/godebugs.All"
_POINTER = "*internal/godebug.Setting"
_OF_RUNTIME = "*runtime.godebugInc"
_WORD = 8


def godebug_metrics(memory: Memory, layout: Layout, debug: DebugInfo, bias: int) -> dict[str, int]:
    """By the metrics' names; none in a program that links no such settings. Raises
    UnreadableError, UndescribedError."""
    table = debug.globals.get(_TABLE)
    if table is None or not layout.has("internal/godebugs.Info"):
        return {}
    counts = dict.fromkeys(_names(memory, layout, table.address + bias), 0)
    for name, count in _counted(memory, layout, debug, bias):
        if name in counts:
            counts[name] = count
    return {f"/godebug/non-default-behavior/{name}:events": n for name, n in counts.items()}


def _names(memory: Memory, layout: Layout, table: int) -> list[str]:
    struct = layout.struct("internal/godebugs.Info")
    first, count = u64(memory, table), u64(memory, table + 8)
    if count > _MOST:
        raise UnreadableError(first, count * struct.size, f"{_TABLE} claims {count} settings")
    raw = memory.read(first, count * struct.size)
    rows = (Record(0, struct, raw[i * struct.size :]) for i in range(count))
    return [_text(memory, row, "Name") for row in rows if not row["Opaque"]]


def _counted(
    memory: Memory, layout: Layout, debug: DebugInfo, bias: int
) -> Iterator[tuple[str, int]]:
    """Of every variable that is a setting (godebug.New, godebugInc) its name and its counter."""
    if not layout.has("internal/godebug.Setting", "setting"):
        return
    types = debug.index.types
    own, of_runtime = types.get(_POINTER, -1), types.get(_OF_RUNTIME, -1)
    offset = layout.offset("internal/godebug.setting", "nonDefault")
    for variable in debug.globals.values():
        if variable.type not in (own, of_runtime):
            continue
        at = u64(memory, variable.address + bias)
        if at and variable.type == of_runtime:
            at = _setting_of(memory, layout, at)
        if not at:
            continue
        setting = read_whole(memory, layout.struct("internal/godebug.Setting"), at)
        if shared := setting["setting"]:
            yield _text(memory, setting, "name").removeprefix("#"), u64(memory, shared + offset)


def _setting_of(memory: Memory, layout: Layout, at: int) -> int:
    """Of a godebugInc the setting whose method value, made at the first use, is kept in it."""
    function = u64(memory, at + layout.offset("godebugInc", "inc"))
    closure = u64(memory, function) if function else 0
    return u64(memory, closure + _WORD) if closure else 0  # a method value: code, receiver


def _text(memory: Memory, record: Record, path: str) -> str:
    size = min(record.word(path, 1), _MOST_NAME)
    return memory.read(record[path], size).decode("utf-8", "replace") if size else ""
