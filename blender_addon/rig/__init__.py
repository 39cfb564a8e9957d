# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes as Blender objects: building the rig, reading it back, keying it."""
