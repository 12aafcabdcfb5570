"""What machine code says without being run."""

from __future__ import annotations

from goprobe.arch.amd64.machinecode import (
    Constant as Constant,
)
from goprobe.arch.amd64.machinecode import (
    DirectCall as DirectCall,
)
from goprobe.arch.amd64.machinecode import (
    Known as Known,
)
from goprobe.arch.amd64.machinecode import (
    Reference as Reference,
)
from goprobe.arch.amd64.machinecode import (
    StackAddress as StackAddress,
)
from goprobe.arch.amd64.machinecode import (
    calls_to as calls_to,
)
from goprobe.arch.amd64.machinecode import (
    decode as decode,
)
from goprobe.arch.amd64.machinecode import (
    known_at as known_at,
)
from goprobe.arch.amd64.machinecode import (
    references as references,
)
from goprobe.arch.amd64.machinecode import (
    verified as verified,
)
