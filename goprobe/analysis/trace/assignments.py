"""Where a function's source gives its variables their values, and which of these hold at a line.

The classic forward analysis of reaching definitions, on the statements of the source. It is asked
about variables of optimised code: what their debug information tells is of some assignment, and
the source says which ones it can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from goprobe.analysis.trace.goscopes import (
    NameScope,
    lines_declaring,
    named_results,
    scope_of,
    segments_of,
    targets_of,
)
from goprobe.analysis.trace.gosyntax import Block, Literal, Statement
from goprobe.analysis.trace.gotokens import Token
from goprobe.binary.dwarf.gotypes import GoKind

_ROUNDS = 8
_LEADS = frozenset((GoKind.POINTER, GoKind.SLICE, GoKind.MAP))
_PARTS = (".", "[")


class Assignment(msgspec.Struct, frozen=True):
    """An assignment: its first and last line, and which of the line's it is (a loop's head has
    two)."""

    line: int
    part: int = 0
    last: int = 0

    @property
    def lines(self) -> range:
        return range(self.line, max(self.line, self.last) + 1)


class Remote(msgspec.Struct, frozen=True):
    """An assignment in a closure, which is made at lines [first, last]."""

    site: Assignment
    first: int
    last: int


class Assignments(msgspec.Struct, frozen=True, kw_only=True):
    """Of one variable as seen from one line. Declarations count as assignments.

    `reaching`: those that may have given it the value that it has when the line begins; `others`
    all further ones. `partial`: lines that set only a part of it. `shared`: its address may have
    been taken by then, or a closure been made that gives it a value; `shares`: anywhere. `jumps`:
    there is a goto, which is not followed. `remote`: what closures assign. `changed`: the lines of
    statements that take its address, call a method of it, or slice it: they may change it.
    """

    reaching: frozenset[Assignment]
    others: frozenset[Assignment]
    partial: frozenset[Assignment]
    shared: bool
    shares: bool
    remote: frozenset[Remote] = frozenset()
    changed: frozenset[int] = frozenset()
    jumps: bool = False

    @property
    def lines(self) -> frozenset[int]:
        """Those of the assignments that reach the line."""
        return frozenset(line for site in self.reaching for line in site.lines)


_SHARED = Assignment(-1)
"""Not an assignment, but that there may be some that the function's own statements do not show."""


# Reaching assignments

_State = frozenset[Assignment] | None  # None: control does not come here


class _Flow:
    """One variable of one function, and what reaches the beginning of `line`."""

    def __init__(self, name: str, declared: int, scope: NameScope, line: int, kind: GoKind) -> None:
        self.name, self.declared, self.scope, self.line = name, declared, scope, line
        self.kind, self.leads = kind, kind in _LEADS
        self.all: set[Assignment] = set()
        self.partial: set[Assignment] = set()
        self.shares = False
        self.result = False  # a named one, which return gives a value
        self.remote: set[Remote] = set()
        self.jumps = False
        self.changed: set[int] = set()
        self.seen: set[Assignment] = set()  # what reached the line
        self.arrived = False
        self.ends: list[_State] = []  # what holds where the function is left
        self.broken: list[list[_State]] = []
        self.continued: list[list[_State]] = []

    def block(self, block: Block, state: _State, hidden: bool = False) -> _State:
        """`hidden`: the name means another variable there. What leaves the block is followed."""
        for statement in block.statements:
            inside = hidden or self._hides(statement, block)
            if inside and not hidden:  # what it is given is of the outer scope
                state = self._sharing(statement, state)
            state = self._statement(statement, state, inside)
            hidden = hidden or (inside and not statement.keyword)
        return state

    def _hides(self, statement: Statement, block: Block) -> bool:
        """Whether it declares another variable of the name: in this block, or for itself."""
        lines = lines_declaring(statement, self.name)
        if not lines or self.declared in lines or statement.first < self.scope.first:
            return False
        # In its own block := gives it a new value.
        return bool(statement.keyword) or block.last != self.scope.last

    def _statement(self, statement: Statement, state: _State, hidden: bool) -> _State:
        if statement.last < self.scope.first or statement.first > self.scope.last:
            return state
        if statement.first <= self.line <= statement.last and (
            not statement.blocks or self._in_header(statement)
        ):
            self._note(state)
        if not hidden:
            state = self._sharing(statement, state)
        match statement.keyword:
            case "for":
                return self._loop(statement, state, hidden)
            case "if" | "else":
                state = self._simple(statement, state, hidden)
                ways = [self.block(b, state, hidden) for b in statement.blocks]
                return _join([*ways, *([] if len(ways) > 1 else [state])])
            case "switch" | "select":
                return self._switch(statement, state, hidden)
        if statement.blocks:
            for inner in statement.blocks:
                state = self.block(inner, state, hidden)
            return state
        return self._leaves(statement, self._simple(statement, state, hidden), hidden)

    def _in_header(self, statement: Statement) -> bool:
        """Whether the line is one of the statement's own, outside of its blocks."""
        return not any(b.first < self.line <= b.last for b in statement.blocks)

    def _note(self, state: _State) -> None:
        if state is not None:
            self.arrived = True
            self.seen |= state

    def _leaves(self, statement: Statement, state: _State, hidden: bool) -> _State:
        word = statement.header[0].text if statement.header else ""
        labelled = len(statement.header) > 1
        if word == "break":
            for exits in self.broken if labelled else self.broken[-1:]:
                exits.append(state)
        elif word == "continue":
            for exits in self.continued if labelled else self.continued[-1:]:
                exits.append(state)
        elif word == "goto":
            self.jumps = True
            for exits in (*self.broken, *self.continued, self.ends):
                exits.append(frozenset((_SHARED,)))
        elif word in ("return", "panic"):
            itself = not hidden and [t.text for t in statement.header[1:]] == [self.name]
            if self.result and word == "return" and labelled and not itself:  # it returns values
                state = frozenset((Assignment(statement.first),))
                self.all |= state
            self.ends.append(state)
        else:
            return state
        return None

    def _loop(self, statement: Statement, state: _State, hidden: bool) -> _State:
        parts = list(segments_of(statement.header))
        is_clauses = len(parts) == 3
        first = parts[0] if is_clauses or _is_range(statement.header) else []
        post = parts[2] if is_clauses else []
        state = self._part(first, state, statement.first, hidden)
        ends: list[_State] = [state]
        for _ in range(_ROUNDS):
            self.broken.append([])
            self.continued.append([])
            after = _join([self.block(b, state, hidden) for b in statement.blocks])
            after = _join([after, *self.continued.pop()])
            ends += self.broken.pop()
            after = self._part(post, after, statement.first, hidden, 1)
            if _is_range(statement.header):
                after = self._part(first, after, statement.first, hidden, 1)
            merged = _join([state, after])
            if merged == state:
                break
            state = merged
        if self.line == statement.first:
            self._note(state)
        endless = not _is_range(statement.header) and not (parts[1] if is_clauses else parts[0])
        return _join(ends[1:] if endless else [*ends, state])

    def _switch(self, statement: Statement, state: _State, hidden: bool) -> _State:
        state = self._simple(statement, state, hidden)
        self.broken.append([])
        ways: list[_State] = []
        default = statement.keyword == "select"
        through: _State = None
        for clause in (c for b in statement.blocks for c in b.statements):
            default = default or (bool(clause.header) and clause.header[0].text == "default")
            inside = hidden or any(self._hides(clause, b) for b in clause.blocks)
            begun = self._simple(clause, state, inside)
            if clause.first == self.line:
                self._note(begun)
            for body in clause.blocks:
                begun = self.block(body, _join([begun, through]), inside)
                last = body.statements[-1].header if body.statements else []
                through = begun if last and last[0].text == "fallthrough" else None
            ways.append(begun)
        return _join([*ways, *self.broken.pop(), *([] if default else [state])])

    def _simple(self, statement: Statement, state: _State, hidden: bool) -> _State:
        segments = list(segments_of(statement.header))
        whole = len(segments) == 1 and not statement.blocks
        for segment in segments:
            line = segment[0].line if segment else statement.first
            last = statement.last if whole else max((t.line for t in segment), default=0)
            state = self._part(segment, state, line, hidden, last=last)
        return state

    def _part(
        self,
        segment: Sequence[Token],
        state: _State,
        line: int,
        hidden: bool,
        part: int = 0,
        last: int = 0,
    ) -> _State:
        """What a statement, or a part of a header, does to the variable."""
        if hidden or not self.scope.first <= line <= self.scope.last:
            return state
        site = Assignment(line, part, last if last > line else 0)
        if any(self._may_change(segment, at) for at in range(len(segment))):
            self.changed.update(site.lines)
        declares = (
            bool(segment)
            and segment[0].text == "var"
            and any(t.name and t.text == self.name and t.line == self.declared for t in segment)
        )
        for token in targets_of(segment):
            if token.text != self.name:
                continue
            if _after(segment, token) in _PARTS:
                if self.leads:
                    continue  # what it leads to
                self.partial.add(site)
                self.all.add(site)
                state = None if state is None else state | {site}
            else:
                declares = True
        if declares:
            self.all.add(site)
            state = None if state is None else frozenset((site, *(state & {_SHARED})))
        return state

    def _sharing(self, statement: Statement, state: _State) -> _State:
        """A statement's header that takes the address, or makes a closure that gives the variable
        a value, whenever it is called."""
        shares = any(
            token.name and token.text == self.name and self._is_address(statement.header, at)
            for at, token in enumerate(statement.header)
        )
        for literal in statement.literals:
            shares = self._gives_value(literal, statement) or shares
        if not shares:
            return state
        self.shares = True
        return None if state is None else state | {_SHARED}

    def _gives_value(self, literal: Literal, statement: Statement) -> bool:
        if any(t.name and t.text == self.name for t in literal.signature):
            return False
        # Declared anywhere in it, the name means another variable: its block is not the scope's.
        scope = NameScope(literal.line, literal.body.last + 1)
        inner = _Flow(self.name, -1, scope, -1, self.kind)
        inner.block(literal.body, frozenset())
        self.remote |= {Remote(site, statement.first, statement.last) for site in inner.all}
        self.remote |= inner.remote
        self.changed |= inner.changed
        return bool(inner.all) or inner.shares

    def _is_address(self, segment: Sequence[Token], at: int) -> bool:
        """Whether the name there has its address taken: & with nothing before it to combine with,
        and of it, not of something that it leads to."""
        if not at or segment[at - 1].text != "&":
            return False
        if self.leads and at + 1 < len(segment) and segment[at + 1].text in _PARTS:
            return False
        before = segment[at - 2] if at > 1 else None
        return before is None or not (before.name or before.text in ")]}")

    def _may_change(self, segment: Sequence[Token], at: int) -> bool:
        """Whether the address of the variable is taken where it may be named, a method of it
        called, one of a part of it too, or a slice of it made. Methods of what a pointer leads to
        are given the pointer."""
        if not segment[at].name or segment[at].text != self.name:
            return False
        if self._is_address(segment, at) or self.kind is GoKind.POINTER:
            return self._is_address(segment, at)
        depth = 0
        for token, after in pairwise(segment[at + 1 :]):
            depth += (token.text == "[") - (token.text == "]")
            if token.text == ":" and depth == 1:
                return True
            if not depth and token.text not in (".", "]") and not token.name:
                return False
            if not depth and token.name and after.text == "(":
                return True
        return False


def _is_range(header: Sequence[Token]) -> bool:
    return any(t.text == "range" for t in header)


def _after(segment: Sequence[Token], token: Token) -> str:
    for at, other in enumerate(segment):
        if other is token:
            return segment[at + 1].text if at + 1 < len(segment) else ""
    return ""


def _join(states: Sequence[_State]) -> _State:
    known = [s for s in states if s is not None]
    return frozenset[Assignment]().union(*known) if known else None


def assignments(
    function: Literal, name: str, declared: int, line: int, kind: GoKind = GoKind.INVALID
) -> Assignments | None:
    """Of the variable that is declared at a line, as seen from another; None where the source
    does not show it. `kind` is its type's: what is assigned to behind a pointer, a slice, a map
    leaves that as it is."""
    scope = scope_of(function, name, declared)
    if scope is None:
        return None
    flow = _Flow(name, declared, scope, line, kind)
    flow.result = name in named_results(function.signature) and scope.first == function.line
    parameter = any(t.name and t.text == name and t.line == declared for t in function.signature)
    state = frozenset((Assignment(declared),)) if parameter else frozenset()
    if parameter:
        flow.all.add(Assignment(declared))
    flow.ends.append(flow.block(function.body, state))
    own = function.body.statements
    if not flow.arrived and (not own or line < own[0].first):
        flow.seen |= state
    elif not flow.arrived and line >= own[-1].last:  # the brace at the end: deferred calls
        flow.seen |= _join(flow.ends) or frozenset()
    elif not flow.arrived:
        return None
    return Assignments(
        reaching=frozenset(flow.seen - {_SHARED}),
        others=frozenset(flow.all - flow.seen),
        partial=frozenset(flow.partial),
        shared=_SHARED in flow.seen,
        shares=flow.shares,
        remote=frozenset(flow.remote),
        changed=frozenset(flow.changed),
        jumps=flow.jumps,
    )
