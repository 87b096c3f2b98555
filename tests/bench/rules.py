# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of the rows "with rules", the same work for all of them.

Both routers: connection tracking of what is inside; the own LAN is masqueraded on the way into the
tunnel (or onto the wire, where there is none), and what the peer has masqueraded is so again on the
way into the LAN; of 20 rules in a forward chain the last one matches, every packet of either
direction. With `established` a rule before them lets through what is known. The outer packets of a
tunnel are not tracked, for none of the contenders: greteld sees to that itself.
"""
FORWARD = 20


def forward(established=False):
    """Somebody's own table. The 20 accept what they match, and the chain's policy is to drop."""
    first = ["ct state established,related accept"] if established else []
    rules = [f"ip saddr 198.51.100.{number} accept" for number in range(1, FORWARD)]
    lines = "\n    ".join([*first, *rules, "ip daddr != 198.51.100.0/24 accept"])
    return f"""table ip site {{
  chain forward {{
    type filter hook forward priority 10; policy drop;
    {lines}
  }}
}}
"""


def masquerade(pairs):
    """For contenders other than gretel. `pairs`: (source, device that it leaves by)."""
    lines = "\n    ".join(f'ip saddr {source} oifname "{device}" masquerade' for source, device in pairs)
    return f"""table ip translation {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    {lines}
  }}
}}
"""


def untracked(port):
    """Outer packets in UDP."""
    return f"""table ip outer {{
  chain coming {{
    type filter hook prerouting priority raw; policy accept;
    udp dport {port} notrack
  }}
  chain going {{
    type filter hook output priority raw; policy accept;
    udp dport {port} notrack
  }}
}}
"""


def keep_flows(router):
    """Flows that wait for their next trial are not forgotten."""
    for name in ("udp_timeout", "udp_timeout_stream"):
        router.sysctl(f"net.netfilter.nf_conntrack_{name}", 600)
