"""System calls of the machine."""

from __future__ import annotations

from goprobe.arch.amd64.systemcalls import (
    AND_RETURN as AND_RETURN,
)
from goprobe.arch.amd64.systemcalls import (
    CLONE as CLONE,
)
from goprobe.arch.amd64.systemcalls import (
    CLOSE as CLOSE,
)
from goprobe.arch.amd64.systemcalls import (
    EXECVE as EXECVE,
)
from goprobe.arch.amd64.systemcalls import (
    EXECVEAT as EXECVEAT,
)
from goprobe.arch.amd64.systemcalls import (
    EXIT as EXIT,
)
from goprobe.arch.amd64.systemcalls import (
    EXIT_GROUP as EXIT_GROUP,
)
from goprobe.arch.amd64.systemcalls import (
    FUTEX as FUTEX,
)
from goprobe.arch.amd64.systemcalls import (
    INSTRUCTION as INSTRUCTION,
)
from goprobe.arch.amd64.systemcalls import (
    MMAP as MMAP,
)
from goprobe.arch.amd64.systemcalls import (
    RT_SIGRETURN as RT_SIGRETURN,
)
from goprobe.arch.amd64.systemcalls import (
    SIGNAL_RETURNS as SIGNAL_RETURNS,
)
from goprobe.arch.amd64.systemcalls import (
    TGKILL as TGKILL,
)
from goprobe.arch.amd64.systemcalls import (
    WAIT4 as WAIT4,
)
from goprobe.arch.amd64.systemcalls import (
    current as current,
)
from goprobe.arch.amd64.systemcalls import (
    prepare as prepare,
)
from goprobe.arch.amd64.systemcalls import (
    result as result,
)
