"""An exception in words for whoever reads it in another process."""

import runpy
import textwrap
import traceback
from collections.abc import Collection
from types import FrameType

_LONGEST = 2_000  # characters of a summary; the traceback has all
# Frames that lead to the user's code and tell its author nothing; others hide
# themselves by a variable of this name, as pytest's and IPython's users know it.
_HIDES = "__tracebackhide__"
_RUNPY = (runpy.__file__, "<frozen runpy>")


def describe(error: BaseException, hidden: Collection[str]) -> tuple[str, str]:
    """Return one line about an exception, and its traceback.

    `hidden` are files whose frames are left out where they come first.
    """
    frames = error.__traceback__
    while frames is not None and _is_hidden(frames.tb_frame, hidden):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    described = traceback.TracebackException(type(error), error, None)
    described.__notes__ = None  # they would come last
    summary = "raised " + list(described.format_exception_only())[-1].strip()
    if len(summary) > _LONGEST:
        summary = textwrap.shorten(summary, _LONGEST)
    return summary, text


def _is_hidden(frame: FrameType, hidden: Collection[str]) -> bool:
    file = frame.f_code.co_filename
    return file in hidden or file in _RUNPY or bool(frame.f_locals.get(_HIDES))
