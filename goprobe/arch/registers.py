"""The registers of the machine: see `goprobe.arch.protocol`."""

from __future__ import annotations

from goprobe.arch.amd64.registers import (
    FIRST_ARGUMENT as FIRST_ARGUMENT,
    FLAGS as FLAGS,
    FLOAT_ARGUMENTS as FLOAT_ARGUMENTS,
    FP as FP,
    FP_WORD as FP_WORD,
    GENERAL as GENERAL,
    GOROUTINE as GOROUTINE,
    GOROUTINE_WORD as GOROUTINE_WORD,
    INTEGER_ARGUMENTS as INTEGER_ARGUMENTS,
    NO_SYSCALL as NO_SYSCALL,
    PC as PC,
    PC_WORD as PC_WORD,
    REGISTERS_SIZE as REGISTERS_SIZE,
    RESULT_WORDS as RESULT_WORDS,
    RESUMED_THROUGH as RESUMED_THROUGH,
    SP as SP,
    SP_WORD as SP_WORD,
    THREAD as THREAD,
    THREAD_WORD as THREAD_WORD,
    VECTOR as VECTOR,
    VECTORS as VECTORS,
    WORD as WORD,
    WORD_COUNT as WORD_COUNT,
    WORDS as WORDS,
    Registers as Registers,
    Words as Words,
    by_dwarf_number as by_dwarf_number,
    signed as signed,
)
