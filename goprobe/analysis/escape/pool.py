"""What is told of many packages, in little memory: files as the user names them, and each string
once. A compiler's reasons and the places of inlining repeat from site to site."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.escape.predictions import step_with_file
from goprobe.analysis.escape.studied import Studied
from goprobe.model.escape import Assertion, Call, Site, SourceLine


class Pool:
    """Files below the folder `cwd` are told relative to it, any other as it is."""

    def __init__(self, cwd: Path) -> None:
        self._prefix = f"{cwd.absolute()}{os.sep}"
        self._files: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._tuples: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._steps: dict[str, str] = {}
        self._flows: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._places: dict[SourceLine, SourceLine] = {}

    def begin_package(self) -> None:
        """A compiler's reasons name places of one package: of the last one's none comes again."""
        self._steps.clear()
        self._flows.clear()

    def shown(self, studied: Studied) -> Studied:
        return replace(
            studied,
            sites=tuple(map(self._site, studied.sites)),
            assertions=tuple(map(self.assertion, studied.assertions)),
            functions=tuple(replace(f, file=self._file(f.file)) for f in studied.functions),
        )

    def assertion(self, assertion: Assertion) -> Assertion:
        proof = assertion.proof
        if proof is not UNSET:
            holes = tuple(replace(h, chain=self._chain(h.chain)) for h in proof.holes)
            proof = replace(proof, chain=self._chain(proof.chain), holes=holes)
        return replace(assertion, file=self._file(assertion.file), proof=proof)

    def _site(self, site: Site) -> Site:
        return replace(
            site,
            file=self._file(site.file),
            function=self._text(site.function),
            expression=self._text(site.expression),
            reason=self._text(site.reason),
            messages=self._all(site.messages),
            flow=self._flow(tuple(step_with_file(step, self._file) for step in site.flow)),
            calls=tuple(map(self._call, site.calls)),
        )

    def _call(self, call: Call) -> Call:
        return replace(
            call,
            file=self._file(call.file),
            function=self._text(call.function),
            callee=self._text(call.callee),
            inlined_at=tuple(map(self._file, call.inlined_at)),  # each begins with its file
            frames=self._chain(call.frames),
        )

    def _chain(self, chain: Sequence[SourceLine]) -> tuple[SourceLine, ...]:
        return tuple(self._places.get(place) or self._place(place) for place in chain)

    def _place(self, place: SourceLine) -> SourceLine:
        made = replace(place, file=self._file(place.file), function=self._text(place.function))
        return self._places.setdefault(place, made)

    def _file(self, file: str) -> str:
        known = self._files.get(file)
        if known is None:
            known = self._files[file] = file.removeprefix(self._prefix)
        return known

    def _all(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        known = self._tuples.get(texts)
        if known is None:
            known = tuple(map(self._text, texts))
            self._tuples[known] = known
        return known

    def _flow(self, steps: tuple[str, ...]) -> tuple[str, ...]:
        known = self._flows.get(steps)
        if known is None:
            known = tuple(self._steps.setdefault(step, step) for step in steps)
            self._flows[known] = known
        return known

    def _text(self, text: str) -> str:
        return self._texts.setdefault(text, text)
