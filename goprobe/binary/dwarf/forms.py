"""DWARF 4 and 5 attribute forms: how wide each is, and how to read it.

Source: the DWARF 5 standard, section 7.5.6; the forms are what cmd/internal/dwarf and GCC emit.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from goprobe.budget import STEP, Budget

FORM_ADDR, FORM_BLOCK2, FORM_BLOCK4, FORM_DATA2, FORM_DATA4 = 0x01, 0x03, 0x04, 0x05, 0x06
FORM_DATA8, FORM_STRING, FORM_BLOCK, FORM_BLOCK1, FORM_DATA1 = 0x07, 0x08, 0x09, 0x0A, 0x0B
FORM_FLAG, FORM_SDATA, FORM_STRP, FORM_UDATA, FORM_REF_ADDR = 0x0C, 0x0D, 0x0E, 0x0F, 0x10
FORM_REF1, FORM_REF2, FORM_REF4, FORM_REF8, FORM_REF_UDATA = 0x11, 0x12, 0x13, 0x14, 0x15
FORM_INDIRECT, FORM_SEC_OFFSET, FORM_EXPRLOC, FORM_FLAG_PRESENT = 0x16, 0x17, 0x18, 0x19
FORM_STRX, FORM_ADDRX, FORM_DATA16, FORM_LINE_STRP, FORM_SIG8 = 0x1A, 0x1B, 0x1E, 0x1F, 0x20
FORM_IMPLICIT_CONST, FORM_LOCLISTX, FORM_RNGLISTX = 0x21, 0x22, 0x23

FIXED = {
    FORM_ADDR: 8, FORM_DATA1: 1, FORM_DATA2: 2, FORM_DATA4: 4, FORM_DATA8: 8, FORM_FLAG: 1,
    FORM_STRP: 4, FORM_REF_ADDR: 4, FORM_REF1: 1, FORM_REF2: 2, FORM_REF4: 4, FORM_REF8: 8,
    FORM_SEC_OFFSET: 4, FORM_FLAG_PRESENT: 0, FORM_DATA16: 16, FORM_LINE_STRP: 4, FORM_SIG8: 8,
    FORM_IMPLICIT_CONST: 0, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4,
}  # fmt: skip
_ULEB = {FORM_SDATA, FORM_UDATA, FORM_REF_UDATA, FORM_STRX, FORM_ADDRX, FORM_LOCLISTX,
         FORM_RNGLISTX}  # fmt: skip
REFERENCES = {FORM_REF1, FORM_REF2, FORM_REF4, FORM_REF8, FORM_REF_UDATA}
ADDRESS_INDEXES = {FORM_ADDRX, 0x29, 0x2A, 0x2B, 0x2C}

# Steps of a skip plan: a positive number skips that many bytes; the others are these.
SKIP_STRING, SKIP_ULEB, SKIP_BLOCK, SKIP_BLOCK1, SKIP_BLOCK2, SKIP_BLOCK4 = -1, -2, -3, -4, -5, -6
_BLOCKS = {FORM_BLOCK: SKIP_BLOCK, FORM_EXPRLOC: SKIP_BLOCK, FORM_BLOCK1: SKIP_BLOCK1,
           FORM_BLOCK2: SKIP_BLOCK2, FORM_BLOCK4: SKIP_BLOCK4}  # fmt: skip


_WORD = (1 << 64) - 1
_HIGH_PC = 0x12  # DW_AT_high_pc, DWARF 5, 7.5.4
_ENTRY, _ATTRIBUTE = 16 * STEP, 4 * STEP  # of an abbreviation: what it takes to keep one, too


# How an attribute is read: most are one of these, and the others by `read_form`.
READ_NUMBER, READ_REFERENCE, READ_ULEB, READ_STRING, READ_OTHER = range(5)


class Abbrev(msgspec.Struct, frozen=True):
    """One entry of .debug_abbrev. `attributes` are (attribute, form, implicit constant), `reading`
    says how each is read: (one of the above, attribute, how many bytes a number takes)."""

    tag: int
    children: bool
    attributes: tuple[tuple[int, int, int], ...]
    plan: tuple[int, ...]
    reading: tuple[tuple[int, int, int], ...]


def uleb(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned LEB128 number at `at`, and where it ends: its lowest 64 bits. Raises IndexError
    past the end."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _WORD, at
        shift += 7
        if shift > 70:
            raise IndexError("LEB128 number without an end")


def sleb(data: bytes, at: int) -> tuple[int, int]:
    """The signed LEB128 number at `at`, and where it ends."""
    start = at
    value, at = uleb(data, at)
    bits = min(7 * (at - start), 64)
    return (value - (1 << bits) if value >> (bits - 1) & 1 else value), at


def _plan(forms: list[int]) -> tuple[int, ...]:
    steps: list[int] = []
    for form in forms:
        if form in FIXED:
            if steps and steps[-1] >= 0:
                steps[-1] += FIXED[form]
            else:
                steps.append(FIXED[form])
        elif form == FORM_STRING:
            steps.append(SKIP_STRING)
        elif form in _ULEB:
            steps.append(SKIP_ULEB)
        elif form in _BLOCKS:
            steps.append(_BLOCKS[form])
        else:
            raise ValueError(f"DWARF form {form:#x} is not known")
    return tuple(steps)


def _how_read(name: int, form: int) -> tuple[int, int, int]:
    """As Abbrev has it."""
    if name == _HIGH_PC:  # whoever reads it has to know by which form
        return READ_OTHER, name, 0
    width = FIXED.get(form, 0)
    if form in REFERENCES and width:
        return READ_REFERENCE, name, width
    if form == FORM_STRING:
        return READ_STRING, name, 0
    if form in (FORM_UDATA, FORM_STRX, FORM_LOCLISTX, FORM_RNGLISTX):
        return READ_ULEB, name, 0
    of_strings = form in (FORM_STRP, FORM_LINE_STRP)
    if 0 < width <= 8 and not of_strings and form not in ADDRESS_INDEXES:
        return READ_NUMBER, name, width
    return READ_OTHER, name, 0


def read_abbrevs(data: bytes, at: int, budget: Budget) -> dict[int, Abbrev]:
    """The abbreviation table at an offset of .debug_abbrev."""
    table: dict[int, Abbrev] = {}
    while True:
        code, at = uleb(data, at)
        if not code:
            return table
        budget.spend(_ENTRY)
        tag, at = uleb(data, at)
        children = data[at] != 0
        at += 1
        attributes: list[tuple[int, int, int]] = []
        while True:
            budget.spend(_ATTRIBUTE)
            name, at = uleb(data, at)
            form, at = uleb(data, at)
            constant = 0
            if form == FORM_IMPLICIT_CONST:
                constant, at = sleb(data, at)
            if not name and not form:
                break
            attributes.append((name, form, constant))
        plan = _plan([form for _, form, _ in attributes])
        reading = tuple(_how_read(name, form) for name, form, _ in attributes)
        table[code] = Abbrev(tag, children, tuple(attributes), plan, reading)


def skip(data: bytes, at: int, plan: tuple[int, ...]) -> int:
    """Where the attributes of a DIE end."""
    for step in plan:
        if step >= 0:
            at += step
        elif step == SKIP_STRING:
            at = data.index(0, at) + 1
        elif step == SKIP_ULEB:
            while data[at] >= 0x80:
                at += 1
            at += 1
        elif step == SKIP_BLOCK:
            size, at = uleb(data, at)
            at += size
        else:
            width = {SKIP_BLOCK1: 1, SKIP_BLOCK2: 2, SKIP_BLOCK4: 4}[step]
            at += width + int.from_bytes(data[at : at + width], "little")
    return at


def read_form(
    data: bytes, at: int, form: int, constant: int, string: Callable[[int, int], str]
) -> tuple[int | bytes | str, int]:
    """The raw value of an attribute, and where it ends.

    References and indexes come back as they stand; `string(form, offset)` resolves the forms
    that point into a string section.
    """
    if form == FORM_STRING:
        end = data.index(0, at)
        return data[at:end].decode("utf-8", "replace"), end + 1
    if form == FORM_IMPLICIT_CONST:
        return constant, at
    if form == FORM_FLAG_PRESENT:
        return 1, at
    if form == FORM_SDATA:
        return sleb(data, at)
    if form in _ULEB:
        return uleb(data, at)
    if form in _BLOCKS:
        step = _BLOCKS[form]
        if step == SKIP_BLOCK:
            size, at = uleb(data, at)
        else:
            width = {SKIP_BLOCK1: 1, SKIP_BLOCK2: 2, SKIP_BLOCK4: 4}[step]
            size = int.from_bytes(data[at : at + width], "little")
            at += width
        return data[at : at + size], at + size
    width = FIXED[form]
    if width > 8:  # FORM_DATA16: a hash
        return data[at : at + width], at + width
    value = int.from_bytes(data[at : at + width], "little")
    if form in (FORM_STRP, FORM_LINE_STRP):
        return string(form, value), at + width
    return value, at + width
