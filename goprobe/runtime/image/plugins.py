"""The plugins of a Go process as programs of their own: what their files say of code and variables.

A plugin shares the variables of the runtime with the program that loaded it, for it refers to
variables by way of the dynamic linker; the code of the runtime, and of whatever else it is linked
with, it has a copy of, and runs that (cmd/link, -buildmode=plugin; seen of Go 1.21 to 1.27).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import GoprobeError
from goprobe.process.proc.maps import Mapping, find, paths_of
from goprobe.runtime.image.goimage import GoImage
from goprobe.runtime.image.loaded import loaded
from goprobe.runtime.image.modules import Module
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.layout import Facts

_MOST = 64


def plugin_images(
    pid: int, host: GoImage, modules: Sequence[Module], mappings: Sequence[Mapping]
) -> Iterator[GoImage]:
    """Of those modules beside the host's own whose files can be read; each file is opened once."""
    host_code = host.program.lines.low + host.bias
    for module in [m for m in modules if not m.bad and m.minpc != host_code][:_MOST]:
        file = find(mappings, module.minpc)
        if file is None or not file.inode:
            continue
        key = file.device, file.inode, file.path, module.minpc
        known = host.program.plugins
        if key not in known:
            known[key] = _opened(pid, host, module, file, mappings)
        image = known[key]
        if image is not None:
            yield image


def _opened(
    pid: int, host: GoImage, module: Module, file: Mapping, mappings: Sequence[Mapping]
) -> GoImage | None:
    """The runtime says where the code begins; a file whose segments are not there is another."""
    for path in paths_of(pid, file):
        with suppress(GoprobeError):
            elf = ElfFile(path, shown_as=file.path)
            if elf.status.st_ino != file.inode:
                continue
            program = GoProgram(elf)
            bias = module.minpc - program.lines.low
            if program.lines.high + bias != module.maxpc:
                continue
            if not loaded(elf.segments, bias, mappings).parts:
                continue
            facts = host.program.facts
            roots = {name: at + host.bias - bias for name, at in facts.roots.items()}
            program.adopt(Facts(facts.layout, roots))
            return GoImage(program, bias)
    return None
