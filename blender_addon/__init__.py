# SPDX-License-Identifier: GPL-3.0-or-later
"""Deep Video Portraits in Blender: takes become rigs, rigs become conditioning passes, passes go to the farm.

Nothing of Blender is imported here, so that plain Python (the command line, which builds the extension) can import the
package; `register` imports the rest. The science is `dvp_core`'s: an installed extension carries its light rooms as a
wheel (see `build.py`), a development checkout imports the package itself.
"""

from __future__ import annotations

bl_info = {
    "name": "Deep Video Portraits",
    "author": "Deep Video Portraits contributors",
    "version": (0, 1, 0),
    "blender": (4, 2, 0),
    "location": "File > Import, 3D View > Sidebar, Output properties",
    "description": "Animate filmed faces and render their conditioning passes",
    "category": "Animation",
}

PACKAGE = __package__ or "blender_addon"  # what Blender calls the add-on; preferences are looked up by it


def register() -> None:
    """Add everything to Blender; a failure is raised, never swallowed."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Take everything out of Blender again."""
    from . import registration

    registration.unregister()
