"""Where a frame has what leads out of it.

Sources: src/cmd/internal/obj/x86/obj6.go (frames, Go 1.21 to 1.27); asm/ucontext.h and
asm/sigcontext.h of x86-64 Linux.
"""

from __future__ import annotations

RETURN_ADDRESS = 8
"""A call pushes its return address: it lies so many bytes below the CFA (SP before the call)."""
CALLER_ABOVE_FP = 8
"""Where the frame pointer points, the caller's lies, and above it the return address."""
CONTEXT_FP, CONTEXT_SP, CONTEXT_PC = 40 + 8 * 10, 40 + 8 * 15, 40 + 8 * 16
"""Where struct ucontext has these registers of interrupted code."""
