"""The statements of Go functions, as far as it takes to follow their variables.

No parser of Go: blocks, clauses, headers and function literals are told apart, expressions are
left as tokens. What it cannot follow becomes a statement without structure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from goprobe.analysis.trace.gotokens import Token, tokens_of

_DEPTH_LIMIT = 200
_HEADED = frozenset(("for", "if", "switch", "select", "else"))
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Block(msgspec.Struct):
    """Statements between braces, or of one clause; lines inclusive."""

    first: int
    last: int
    statements: list[Statement] = msgspec.field(default_factory=list)


class Statement(msgspec.Struct):
    """`keyword` is "for", "if", "switch", "select", "case" (a clause, default too) or "".

    `header` are its tokens without those of its blocks and function literals; `blocks` those that
    it runs: a loop's body; what is done if so and if not; clauses. `literals` are the functions
    written in it.
    """

    first: int
    last: int
    keyword: str
    header: list[Token] = msgspec.field(default_factory=list)
    blocks: list[Block] = msgspec.field(default_factory=list)
    literals: list[Literal] = msgspec.field(default_factory=list)


class Literal(msgspec.Struct):
    """A function with a body: `signature` its tokens from `func` to the body."""

    line: int
    signature: list[Token]
    body: Block


@lru_cache(maxsize=16)
def functions_of(file: str) -> tuple[Literal, ...]:
    """Every function of a file, the literals within others too; none where it cannot be read."""
    tokens = tokens_of(file)
    if not tokens:
        return ()
    parser = _Parser(tokens)
    block = Block(1, tokens[-1].line)
    try:
        while parser.at < len(tokens):
            parser.statement(block, 0)
            parser.at += parser.at < len(tokens)  # its semicolon, or a brace too many
    except RecursionError:
        return ()
    return tuple(_literals(block))


def _literals(block: Block) -> Iterator[Literal]:
    for statement in block.statements:
        for literal in statement.literals:
            yield literal
            yield from _literals(literal.body)
        for inner in statement.blocks:
            yield from _literals(inner)


class _Parser:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.closed_by = _braces(tokens)
        self.at = 0

    @property
    def _text(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    @property
    def _next(self) -> str:
        return self.tokens[self.at + 1].text if self.at + 1 < len(self.tokens) else ""

    @property
    def _line(self) -> int:
        return self.tokens[min(self.at, len(self.tokens) - 1)].line

    def statement(self, block: Block, depth: int) -> None:
        """One, up to its semicolon or the brace that ends its block."""
        if self._text in ("case", "default"):
            self._clause(block, depth)
            return
        while self.tokens[self.at].name and self._next == ":":
            self.at += 2  # a label
            if self._text in (";", "}", ""):
                return
        keyword = self._text if self._text in _HEADED else ""
        made = Statement(self._line, self._line, keyword)
        block.statements.append(made)
        if self._text == "{":
            made.blocks.append(self._block(depth + 1))
            made.last = made.blocks[-1].last
            return
        self._expression(made, made.header, depth, (";", "}"))
        made.last = self.tokens[min(self.at, len(self.tokens)) - 1].line

    def _clause(self, block: Block, depth: int) -> None:
        made = Statement(self._line, self._line, "case")
        self._expression(made, made.header, depth, (":", ";", "}"))
        self.at += self._text == ":"
        body = Block(made.first, made.first)
        made.blocks.append(body)
        block.statements.append(made)
        while self.at < len(self.tokens) and self._text not in ("case", "default", "}"):
            if self._text == ";":
                self.at += 1
            else:
                self.statement(body, depth + 1)
        body.last = made.last = max(made.first, self._line - (self._text != "}"))

    def _block(self, depth: int) -> Block:
        """From its brace to behind the one that closes it."""
        made = Block(self._line, self._line)
        self.at += 1
        while self.at < len(self.tokens) and self._text != "}":
            if self._text == ";" or depth > _DEPTH_LIMIT:
                self.at += 1
            else:
                self.statement(made, depth)
        made.last = self._line
        self.at += 1
        return made

    def _expression(
        self, made: Statement, into: list[Token], depth: int, ends: tuple[str, ...]
    ) -> None:
        """Tokens up to one of `ends` outside of all brackets."""
        func = -1  # where a function's signature began that waits for its body
        while self.at < len(self.tokens):
            text = self._text
            if text in ends and not (
                text == ";"
                and made.keyword in ("for", "if", "switch")
                and not made.blocks
                and not self._is_line_end()
            ):
                return
            if text == "func":
                func = self.at
            if text == "{":
                if func >= 0 and self._is_body(func):
                    signature = list(self.tokens[func : self.at])
                    line = signature[0].line
                    made.literals.append(Literal(line, signature, self._block(depth + 1)))
                    func = -1
                    continue
                if made.keyword and ends == (";", "}") and self._is_head_over():
                    made.blocks.append(self._block(depth + 1))
                    if self._text != "else":
                        return
                    continue
            if text in _CLOSING:
                into.append(self.tokens[self.at])
                self.at += 1
                closing = _CLOSING[text]
                if depth > _DEPTH_LIMIT:
                    return
                self._inside(made, into, depth + 1, closing)
                continue
            if text == "else" and made.blocks:
                self.at += 1
                if self._text == "{":
                    made.blocks.append(self._block(depth + 1))
                else:
                    other = Block(self._line, self._line)
                    self.statement(other, depth + 1)
                    other.last = other.statements[-1].last if other.statements else other.first
                    made.blocks.append(other)
                return
            into.append(self.tokens[self.at])
            self.at += 1

    def _inside(self, made: Statement, into: list[Token], depth: int, closing: str) -> None:
        while self.at < len(self.tokens) and self._text != closing:
            before = self.at
            self._expression(made, into, depth, (closing,))
            if self.at == before:
                break
        if self.at < len(self.tokens):
            into.append(self.tokens[self.at])
            self.at += 1

    def _is_line_end(self) -> bool:
        """Whether a semicolon is one that a line's end put there."""
        at = self.at
        return at + 1 >= len(self.tokens) or self.tokens[at + 1].line > self.tokens[at].line

    def _is_body(self, func: int) -> bool:
        """Whether the brace here opens the body of the signature that began there: that of a
        struct or interface among its types has the word before it."""
        before = self.tokens[self.at - 1].text
        return before not in ("struct", "interface") and self.at > func + 2

    def _is_head_over(self) -> bool:
        """Whether the brace here opens the block of a headed statement: a composite literal in
        the header is followed by more of it."""
        before = self.tokens[self.at - 1].text
        if before in ("struct", "interface"):
            return False
        end = self.closed_by.get(self.at)
        if end is None or end + 1 >= len(self.tokens):
            return True
        return self.tokens[end + 1].text in (";", "}", "else", ")", ",", "]")


def _braces(tokens: Sequence[Token]) -> dict[int, int]:
    """The index of the closing brace of each opening one."""
    pairs: dict[int, int] = {}
    open_: list[int] = []
    for i, token in enumerate(tokens):
        if token.text == "{":
            open_.append(i)
        elif token.text == "}" and open_:
            pairs[open_.pop()] = i
    return pairs
