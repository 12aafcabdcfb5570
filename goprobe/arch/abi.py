"""Go's calling convention on the machine."""

from __future__ import annotations

from goprobe.arch.amd64.abi import (
    DEPTH_LIMIT as DEPTH_LIMIT,
)
from goprobe.arch.amd64.abi import (
    INTERFACE as INTERFACE,
)
from goprobe.arch.amd64.abi import (
    POINTER as POINTER,
)
from goprobe.arch.amd64.abi import (
    SLICE as SLICE,
)
from goprobe.arch.amd64.abi import (
    STRING as STRING,
)
from goprobe.arch.amd64.abi import (
    AbiField as AbiField,
)
from goprobe.arch.amd64.abi import (
    AbiType as AbiType,
)
from goprobe.arch.amd64.abi import (
    Piece as Piece,
)
from goprobe.arch.amd64.abi import (
    array_of as array_of,
)
from goprobe.arch.amd64.abi import (
    assign as assign,
)
from goprobe.arch.amd64.abi import (
    scalar as scalar,
)
