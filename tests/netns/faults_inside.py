# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the routers as hosts, and of what is inside the tunnel and behind it."""
from clinic import registry

ROWS, fault = registry()
