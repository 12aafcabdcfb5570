"""The machine: all that goprobe knows of a processor, and nobody else does.

`protocol` says in five minutes what a machine has to provide. `amd64` provides it; the modules
beside it name where each part comes from, which is what another machine changes. Contract
(tests/arch): no file outside of here names a register or an opcode, or decodes an instruction.
"""
