"""How a report is to look: what the place it goes to can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from goprobe.report.places import Places


class RenderOptions(msgspec.Struct, frozen=True):
    """`width` in terminal cells; `unicode` false means: nothing but ASCII can be shown.

    `variables` are the names that the reader asked for; none: what is most telling. `pages` are
    those of the folder that a page lies in: file, name, and whether it is this one; `places` says
    what is told where in them, None of a page that is alone.
    """

    width: int = 80
    colour: bool = False
    unicode: bool = True
    verbose: bool = False
    variables: tuple[str, ...] = ()
    pages: tuple[tuple[str, str, bool], ...] = ()
    places: Places | None = None
