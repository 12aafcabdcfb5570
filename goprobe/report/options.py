"""How a report is to look: what the place it goes to can show."""

from __future__ import annotations

import msgspec


class RenderOptions(msgspec.Struct, frozen=True):
    """`width` in terminal cells; `unicode` false means: nothing but ASCII can be shown.

    `variables` are the names that the reader asked for; none: what is most telling. `pages` are
    those of the folder that a page lies in: file, name, and whether it is this one.
    """

    width: int = 80
    colour: bool = False
    unicode: bool = True
    verbose: bool = False
    variables: tuple[str, ...] = ()
    pages: tuple[tuple[str, str, bool], ...] = ()
