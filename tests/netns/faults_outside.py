# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the tunnel and of the network under it."""
from clinic import registry
from scene import A, UNDERLAY

ROWS, fault = registry()


@fault("local-address-not-here", "local-address", f"local address {UNDERLAY[4][A]}", "no interface")
def local_address_not_here(clinic):
    with clinic.ip(A, f"address del {UNDERLAY[4][A]}/24 dev bond0", f"address add {UNDERLAY[4][A]}/24 dev bond0"):
        yield
