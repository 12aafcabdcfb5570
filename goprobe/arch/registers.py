"""The registers of the machine: see `goprobe.arch.protocol`."""

from __future__ import annotations

from goprobe.arch.amd64.registers import (
    FIRST_ARGUMENT as FIRST_ARGUMENT,
)
from goprobe.arch.amd64.registers import (
    FLAGS as FLAGS,
)
from goprobe.arch.amd64.registers import (
    FLOAT_ARGUMENTS as FLOAT_ARGUMENTS,
)
from goprobe.arch.amd64.registers import (
    FP as FP,
)
from goprobe.arch.amd64.registers import (
    FP_WORD as FP_WORD,
)
from goprobe.arch.amd64.registers import (
    GENERAL as GENERAL,
)
from goprobe.arch.amd64.registers import (
    GOROUTINE as GOROUTINE,
)
from goprobe.arch.amd64.registers import (
    GOROUTINE_WORD as GOROUTINE_WORD,
)
from goprobe.arch.amd64.registers import (
    INTEGER_ARGUMENTS as INTEGER_ARGUMENTS,
)
from goprobe.arch.amd64.registers import (
    NO_SYSCALL as NO_SYSCALL,
)
from goprobe.arch.amd64.registers import (
    PC as PC,
)
from goprobe.arch.amd64.registers import (
    PC_WORD as PC_WORD,
)
from goprobe.arch.amd64.registers import (
    REGISTERS_SIZE as REGISTERS_SIZE,
)
from goprobe.arch.amd64.registers import (
    RESULT_WORDS as RESULT_WORDS,
)
from goprobe.arch.amd64.registers import (
    RESUMED_THROUGH as RESUMED_THROUGH,
)
from goprobe.arch.amd64.registers import (
    SP as SP,
)
from goprobe.arch.amd64.registers import (
    SP_WORD as SP_WORD,
)
from goprobe.arch.amd64.registers import (
    THREAD as THREAD,
)
from goprobe.arch.amd64.registers import (
    VECTOR as VECTOR,
)
from goprobe.arch.amd64.registers import (
    VECTORS as VECTORS,
)
from goprobe.arch.amd64.registers import (
    WORD as WORD,
)
from goprobe.arch.amd64.registers import (
    WORD_COUNT as WORD_COUNT,
)
from goprobe.arch.amd64.registers import (
    WORDS as WORDS,
)
from goprobe.arch.amd64.registers import (
    Registers as Registers,
)
from goprobe.arch.amd64.registers import (
    Words as Words,
)
from goprobe.arch.amd64.registers import (
    by_dwarf_number as by_dwarf_number,
)
from goprobe.arch.amd64.registers import (
    signed as signed,
)
