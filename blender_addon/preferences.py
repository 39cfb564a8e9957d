# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""Where the farm is and the token that opens it: kept with the user, never in a .blend."""

from dataclasses import dataclass

import bpy
from bpy.props import StringProperty

from . import PACKAGE


@dataclass(frozen=True)
class FarmSettings:
    """What the user told of the farm; empty texts where nothing was told.

    Attributes:
        server: Address of the head.
        token: The user's token.
        root_name: What the farm calls the shared folder.
        root_folder: The shared folder, as this machine calls it.
    """

    server: str = ""
    token: str = ""
    root_name: str = "shots"
    root_folder: str = ""


class Preferences(bpy.types.AddonPreferences):
    """The add-on's page in Blender's preferences."""

    bl_idname = PACKAGE

    server: StringProperty(name="Farm", description="Address of the farm head, such as https://farm:8642", default="")
    token: StringProperty(
        name="Token", description="Opens the farm; stored with your preferences", subtype="PASSWORD", default=""
    )
    root_folder: StringProperty(
        name="Shared Folder", description="A folder that the farm's machines see too", subtype="DIR_PATH", default=""
    )
    root_name: StringProperty(
        name="Its Name There",
        description="The root's name (dvp farm head --root NAME=...)",
        default="shots",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Show the fields, and where else they may come from."""
        del context
        for name in ("server", "token", "root_folder", "root_name"):
            self.layout.prop(self, name)
        self.layout.label(text="Empty: DVP_FARM_URL and DVP_FARM_TOKEN, else the farm head on this machine")


CLASSES = (Preferences,)


def farm_settings(context: bpy.types.Context) -> FarmSettings:
    """Return what the preferences say of the farm; defaults where the add-on is registered without preferences."""
    addon = context.preferences.addons.get(PACKAGE)
    if addon is None or addon.preferences is None:
        return FarmSettings()
    stored = addon.preferences
    return FarmSettings(
        server=stored.server.strip(),
        token=stored.token.strip(),
        root_name=stored.root_name.strip(),
        root_folder=bpy.path.abspath(stored.root_folder),
    )
