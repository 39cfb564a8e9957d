# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator's frame for the pose that the scene shows, asked from the farm and drawn over the plate."""
