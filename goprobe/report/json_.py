"""Any report as JSON: indented, UTF-8, safe to look at in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from goprobe.report.escaping import escape_json, visible
from goprobe.report.options import RenderOptions

_INDENT = 2
_MANY = 1000
_AT_ONCE = 200
_EMPTY = b'\n  "%s": []'


class JsonFormat:
    name = "json"

    def handles(self, report_type: type) -> bool:
        return hasattr(report_type, "schema")

    def render(self, report: object, options: RenderOptions) -> bytes:
        document = BytesIO()
        document.writelines(self.parts(report, options))
        return document.getvalue()

    def parts(self, report: object, options: RenderOptions) -> Iterator[bytes]:
        """What `render` makes, one part after the other: of many packages it is as large as the
        report itself."""
        rest = _formatted(_without_long_lists(report, lists := _long_lists(report)))
        for name, rows in lists.items():
            before, _, rest = rest.partition(_EMPTY % name.encode())
            yield before + _EMPTY[:-1] % name.encode()
            for start in range(0, len(rows), _AT_ONCE):
                yield (b"," if start else b"") + _rows(rows[start : start + _AT_ONCE])
            yield b"\n  ]"
        yield rest + b"\n"


def _long_lists(report: object) -> dict[str, Sequence[object]]:
    """The report's own lists that are long, in its order: they are written part by part, as the
    whole in three forms would be most of what a report on many packages takes."""
    names = getattr(report, "__struct_encode_fields__", ())
    lists = {name: getattr(report, name, ()) for name in names}
    return {n: rows for n, rows in lists.items() if isinstance(rows, tuple) and len(rows) > _MANY}


def _without_long_lists(report: object, lists: dict[str, Sequence[object]]) -> object:
    from msgspec.structs import replace

    return replace(report, **dict.fromkeys(lists, ())) if lists else report  # type: ignore[type-var]


def _rows(rows: Sequence[object]) -> bytes:
    """Elements of a list that is a report's field, each on lines of its own."""
    return _formatted(rows)[1 : -len(b"\n]")].replace(b"\n", b"\n  ")


def _formatted(value: object) -> bytes:
    import msgspec

    return escape_json(msgspec.json.format(_encode(value), indent=_INDENT))


def _encode(report: object) -> bytes:
    import msgspec

    from goprobe.model.codec import to_json

    try:
        return to_json(report)
    except UnicodeEncodeError:
        # A path of the target that is not UTF-8: Python carries its bytes as lone surrogates,
        # which JSON cannot. Rare, so only then is the whole report walked.
        return msgspec.json.encode(_mended(msgspec.to_builtins(report, enc_hook=str)))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(visible(c) if "\ud800" <= c <= "\udfff" else c for c in value)
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mended(item) for item in value]
    return value
