"""Where a function's source declares its variables, and where their names mean them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from goprobe.analysis.trace.gosyntax import Block, Literal, Statement
from goprobe.analysis.trace.gotokens import Token

_ASSIGNS = frozenset(
    ("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "&^=", "++", "--", ":=")
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")

# A loop over a function: its body is a function of its own (cmd/compile, ir/func.go, since 1.23).
_BODY = re.compile(r"(?:-range\d+)+$")


class NameScope(msgspec.Struct, frozen=True):
    """Lines [first, last] where a variable's name means it, unless an inner one hides it."""

    first: int
    last: int


def root_of(name: str) -> str:
    """The function of the source that a function's code belongs to."""
    return _BODY.sub("", name)


def scope_of(function: Literal, name: str, line: int) -> NameScope | None:
    """Where a variable declared at a line is in scope; None where no such declaration is found,
    or more than one."""
    if any(t.name and t.text == name and t.line == line for t in function.signature):
        return NameScope(function.line, function.body.last)
    scopes = list(_scopes(function.body, name, line))
    return scopes[0] if len(scopes) == 1 else None


def named_results(signature: Sequence[Token]) -> set[str]:
    """The names of a function's results: of the groups in parentheses the one behind that of the
    parameters, and of a method's receiver."""
    groups, depth = list[list[Token]](), 0
    behind = list[str]()  # the two tokens behind the first group
    for token in signature:
        depth -= token.text in _CLOSING
        if not depth and token.text == "(":
            groups.append([])
        elif depth and groups:
            groups[-1].append(token)
        elif len(groups) == 1 and token.text != ")":
            behind.append("name" if token.name else token.text)
        depth += token.text in _OPENING
    method = len(signature) > 1 and signature[1].text == "(" and behind[:1] == ["name"]
    results = groups[2 if method and len(groups) > 1 else 1 :]
    return {
        t.text for group in results for i, t in enumerate(group) if t.name and _begins(group, i)
    }


def has_variable(functions: Sequence[Literal], name: str, line: int) -> bool:
    """Whether a name may be a variable of the functions around a line: one of them declares it, and
    none as a constant."""
    around = _around(functions, line)
    if any(t.name and t.text == name for f in around for t in f.signature):
        return True
    statements = (s for f in around for s in statements_of(f.body) if s.first <= line)
    declaring = [s for s in statements if lines_declaring(s, name)]
    return bool(declaring) and not any(s.header[0].text == "const" for s in declaring)


def gives_meaning(functions: Sequence[Literal], name: str, line: int) -> bool:
    """Whether one of the functions around a line gives a name its meaning there: it declares a
    variable or a constant of that name which is in scope, or may be."""
    for function in _around(functions, line):
        if name in _passed(function.signature):
            return True
        for statement in statements_of(function.body):
            for at in lines_declaring(statement, name) if statement.first <= line else ():
                scope = scope_of(function, name, at)
                if scope is None or scope.first <= line <= scope.last:
                    return True
    return False


def may_mean(functions: Sequence[Literal], name: str, line: int, declared: Iterable[int]) -> bool:
    """Whether a name may mean, at a line, one of the variables `declared` at these lines: not where
    the source declares another there, a constant or one that the optimiser left nothing of."""
    last = _declared_by_innermost(functions, name, line)
    return not last or last in declared


def _around(functions: Sequence[Literal], line: int) -> list[Literal]:
    return [f for f in functions if f.line <= line <= f.body.last]


def lines_declaring(statement: Statement, name: str) -> list[int]:
    """The lines of a statement's own on which it declares a name."""
    header = statement.header
    lines = range(statement.first, header[-1].line + 1) if header else ()
    return [at for at in lines if name in declared_by(statement, at)]


def _declared_by_innermost(functions: Sequence[Literal], name: str, line: int) -> int:
    """The line of the declaration that a name means at a line, of those that the innermost function
    there has carried out before; 0 where it has none, or has it from its signature."""
    around = _around(functions, line)
    if not around:
        return 0
    function = min(around, key=lambda f: f.body.last - f.line)
    passed = name in _passed(function.signature)
    return max(_declared_last(function.body, name, line, _PASSED if passed else 0), 0)


_PASSED = -1


def _declared_last(block: Block, name: str, line: int, declared: int) -> int:
    """`declared`: where the block has the name from before its first statement; a := further on
    declares it no more (Go specification, Short variable declarations)."""
    for statement in block.statements:
        if statement.first > line:
            break
        header, lines = statement.header, lines_declaring(statement, name)
        if not statement.keyword and not statement.blocks:
            short = bool(header) and header[0].text not in ("var", "const")
            if lines and statement.last < line and not (declared and short):
                declared = lines[0]
        elif statement.last >= line:
            own = lines[0] if lines and statement.first < line else 0
            if own and statement.keyword == "switch" and any(t.text == "type" for t in header):
                own = next((c.first for b in statement.blocks for c in b.statements
                            if c.first <= line <= c.last), own)  # fmt: skip
            clause = statement.keyword in ("case", "default")
            for inner in statement.blocks:
                if inner.first <= line <= inner.last:
                    own = _declared_last(inner, name, line, own if clause else 0) or own
            return own or declared
    return declared


def _passed(signature: Sequence[Token]) -> set[str]:
    """The names in a signature's groups in parentheses: of a receiver, parameters and results; of
    those that have no name, their types'."""
    depth, group, names = 0, list[Token](), set[str]()
    for token in signature:
        depth -= token.text in _CLOSING
        if not depth:
            names |= {t.text for i, t in enumerate(group) if t.name and _begins(group, i)}
            group = []
        else:
            group.append(token)
        depth += token.text in _OPENING
    return names


def names_outer(function: Literal, name: str, line: int) -> bool:
    """Whether the statement that declares a variable at a line names it twice, as `v := v` does:
    there it also means the variable of that name outside."""
    return any(
        name in declared_by(statement, line)
        and sum(t.name and t.text == name for t in statement.header) > 1
        for statement in statements_of(function.body)
    )


def statements_of(block: Block) -> Iterator[Statement]:
    """Every statement of a block, and of the blocks within; not those of function literals."""
    for statement in block.statements:
        yield statement
        for inner in statement.blocks:
            yield from statements_of(inner)


def _scopes(block: Block, name: str, line: int) -> Iterator[NameScope]:
    for statement in block.statements:
        if not statement.first <= line <= statement.last:
            continue
        if name in declared_by(statement, line):
            if statement.keyword == "switch" and statement.first != line:
                pass  # x := y.(type) declares one for each clause, on the clause's line
            elif statement.keyword:
                yield NameScope(statement.first, statement.last)
            else:
                yield NameScope(statement.first, block.last)
        if statement.keyword == "switch" and name in declared_by(statement, statement.first):
            for clauses in statement.blocks:
                yield from (
                    NameScope(c.first, c.last)
                    for c in clauses.statements
                    if c.keyword == "case" and c.first == line
                )
        for inner in statement.blocks:
            yield from _scopes(inner, name, line)


def declared_by(statement: Statement, line: int) -> set[str]:
    """The names that a statement itself declares on a line."""
    header = statement.header
    if header and header[0].text in ("var", "const"):
        depth, names = 0, set[str]()
        for token in header[1:]:
            if token.text == "=":
                break
            if token.name and token.line == line and depth < 2:
                names.add(token.text)
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
        return names
    return {
        t.text
        for segment in segments_of(header)
        for t in targets_of(segment, ":=")
        if t.line == line
    }


def segments_of(header: Sequence[Token]) -> Iterator[list[Token]]:
    """A header cut at its own semicolons, its keyword left out."""
    depth, part = 0, list[Token]()
    for token in header:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if token.text == ";" and not depth:
            yield part
            part = []
        elif part or token.text not in ("for", "if", "switch", "select", "case", "default"):
            part.append(token)
    yield part


def targets_of(segment: Sequence[Token], sign: str = "") -> list[Token]:
    """The names on the left of an assignment of a statement's part, those of parts of them too."""
    depth = 0
    for at, token in enumerate(segment):
        if not depth and token.text in _ASSIGNS:
            left = segment[:at] if sign in ("", token.text) else []
            return [t for i, t in enumerate(left) if t.name and _begins(left, i)]
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
    return []


def is_one_call(segment: Sequence[Token]) -> bool:
    """Whether what := gives is the results of one call: no list, no type assertion, no more
    behind."""
    at = next((i for i, t in enumerate(segment) if t.text == ":="), len(segment))
    right, depth, opened = segment[at + 1 :], 0, -1
    for i, token in enumerate(right):
        depth -= token.text in _CLOSING
        if not depth and token.text == ",":
            return False
        if not depth and token.text == "(":
            opened = i
        depth += token.text in _OPENING
    called = right[opened - 1].text if opened > 0 else "."
    return bool(right) and right[-1].text == ")" and called != "." and right[0].text != "range"


def _begins(left: Sequence[Token], index: int) -> bool:
    """Whether a name is the first of one of the operands that commas part."""
    depth = 0
    for token in left[:index]:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
    before = left[index - 1].text if index else ","
    return not depth and before == ","
