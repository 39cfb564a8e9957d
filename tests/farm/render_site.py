"""A site with thirty frames of passes and a small untrained generator, for tests that really render."""

from farm.roots import Roots
from tools.chaos.shot import CROP, SIZE, pass_frame, write_shot

__all__ = ["CROP", "FIRST", "LAST", "SIZE", "make_site", "pass_frame"]
FIRST, LAST = 101, 130


def make_site(folder, *, last=LAST):
    write_shot(folder, first=FIRST, last=last)
    return Roots({"site": folder})
