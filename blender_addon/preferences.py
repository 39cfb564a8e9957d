# SPDX-License-Identifier: GPL-3.0-or-later
# pyright: reportInvalidTypeForm=false

"""Where the farm is and the token that opens it: kept with the user, never in a .blend."""

import os

import bpy
from bpy.props import StringProperty

from . import PACKAGE

DEFAULT_SERVER = "http://127.0.0.1:8470"
TOKEN_VARIABLE = "DVP_FARM_TOKEN"
SERVER_VARIABLE = "DVP_FARM_URL"


class Preferences(bpy.types.AddonPreferences):
    """The add-on's page in Blender's preferences."""

    bl_idname = PACKAGE

    server: StringProperty(name="Farm", description="Address of the farm head", default="")
    token: StringProperty(name="Token", description="Opens the farm; stored with your preferences", subtype="PASSWORD")

    def draw(self, context: bpy.types.Context) -> None:
        """Show both fields and where else they may come from."""
        del context
        self.layout.prop(self, "server")
        self.layout.prop(self, "token")
        self.layout.label(text=f"Empty fields are read from {SERVER_VARIABLE} and {TOKEN_VARIABLE}")


CLASSES = (Preferences,)


def farm_address(context: bpy.types.Context) -> tuple[str, str]:
    """Return the farm's address and token: preferences first, then the environment, then this machine."""
    addon = context.preferences.addons.get(PACKAGE)
    stored = addon.preferences if addon is not None else None
    server = (stored.server if stored else "") or os.environ.get(SERVER_VARIABLE, "") or DEFAULT_SERVER
    token = (stored.token if stored else "") or os.environ.get(TOKEN_VARIABLE, "")
    return server, token
