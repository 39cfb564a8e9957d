# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditioning passes of a scene: the render engine and the export."""
