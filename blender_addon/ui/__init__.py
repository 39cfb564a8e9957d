# SPDX-License-Identifier: GPL-3.0-or-later
"""What the animator clicks: operators and panels. Each operator calls one documented function and nothing more."""
