# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the routers as hosts, and of what is inside the tunnel and behind it."""
import contextlib
import subprocess

from clinic import DEGRADED, registry
from flow import udp
from gretel import NAME
from net import wait_for
from scene import A, B, HOST, LAN, ROUTER, TUNNEL, UNDERLAY

ROWS, fault = registry()

FORWARD4, FORWARD6 = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"
ROUTE_OF_LAN_A = f"route = {LAN[4][A]}\n"


# At A, the router that is asked. -------------------------------------------------------------------

@fault("no-forwarding-at-a", "forwarding", "this host does not forward", "net.ipv4.ip_forward is 0")
def no_forwarding_at_a(clinic):
    with clinic.edited(A, "enable = yes", "enable = no"), clinic.sysctl(A, FORWARD4, 0):
        yield


@fault("no-forwarding6-at-a", "forwarding", "this host does not forward", "net.ipv6.conf.all.forwarding is 0")
def no_forwarding6_at_a(clinic):
    with clinic.edited(A, "enable = yes", "enable = no"), clinic.sysctl(A, FORWARD4, 1, FORWARD6, 0):
        yield


@fault("no-forwarding-of-a-device", "forwarding", "this host does not forward",
       "net.ipv4.conf.eth1.forwarding is 0")
def no_forwarding_of_a_device(clinic):
    with clinic.sysctl(A, "net.ipv4.conf.eth1.forwarding", 0):
        yield


@fault("forward-rule-at-a", "forward-rules", "table inet foreign", "chain forward", "handle",
       "ip daddr 20.10.0.0/16 drop", "before the tunnel")
def forward_rule_at_a(clinic):
    with clinic.rules(A, "forward", "ip daddr 20.10.0.0/16 drop"):
        yield


@fault("forward-policy-at-a", "forward-rules", "the policy of chain forward in table inet foreign",
       "before the tunnel")
def forward_policy_at_a(clinic):
    with clinic.rules(A, "forward", "iifname bond0 accept", policy="drop"):
        yield


@fault("forward-rule-for-answers-at-a", "forward-rules", "table inet foreign", f'iifname "{NAME}"',
       "behind the tunnel")
def forward_rule_for_answers_at_a(clinic):
    wait_for(lambda: clinic.traffic() or f"src={HOST[4][B]} dst={HOST[4][A]}" in clinic.scene.router[A].run(
        ["conntrack", "-L", "-p", "icmp"]).stdout, 5, "an answered echo between the hosts")
    with clinic.rules(A, "forward", f'iifname "{NAME}" drop'):
        yield


@fault("forward-rule6-at-a", "forward-rules", "table inet foreign", "ip6 daddr")
def forward_rule6_at_a(clinic):
    with clinic.rules(A, "forward", f"ip6 daddr {LAN[6][B]} drop"):
        yield


@fault("input-rule-at-a", "input-rules", "table inet foreign", "for this host", f'iifname "{NAME}"')
def input_rule_at_a(clinic):
    with clinic.rules(A, "input", f'iifname "{NAME}" meta l4proto icmp drop'):
        yield


@fault("rp-filter-at-a", "rp-filter", "strict rp_filter", NAME, "route back")
def rp_filter_at_a(clinic):
    """The LAN is sent into the tunnel by a mark, so the host itself knows no way back through it."""
    rule = "fwmark 50 lookup 50 priority 50"
    with clinic.edited(A, f"route = {LAN[4][B]}", f"route = {LAN[4][B]} table 50"), \
         clinic.ip(A, f"rule add {rule}", f"rule del {rule}"), \
         clinic.rules(A, "prerouting", "iifname eth1 meta mark set 50", priority="-150"), \
         clinic.sysctl(A, "net.ipv4.conf.all.rp_filter", 1):
        clinic.traffic()
        yield


@fault("no-route-at-a", "allow-route", f"no route leads {LAN[4][B]} into a tunnel", f"route = {LAN[4][B]}")
def no_route_at_a(clinic):
    with clinic.edited(A, f"route = {LAN[4][B]}\n", ""):
        yield


@fault("better-route-at-a", "tunnel-route", f"packets to {LAN[4][B]} leave by bond0", "route to 20.10.1.0/25",
       "preferred")
def better_route_at_a(clinic):
    route = f"20.10.1.0/25 via {UNDERLAY[4][B]} dev bond0"
    with clinic.ip(A, f"route add {route}", f"route del {route}"):
        yield


@fault("rule-of-others-at-a", "tunnel-route", f"packets to {LAN[4][B]} leave by bond0", "ip rule", "table 77")
def rule_of_others_at_a(clinic):
    with clinic.ip(A, [f"route add {LAN[4][B]} via {UNDERLAY[4][B]} dev bond0 table 77",
                       f"rule add from {LAN[4][A]} lookup 77 priority 77"],
                   [f"rule del from {LAN[4][A]} lookup 77 priority 77",
                    f"route del {LAN[4][B]} via {UNDERLAY[4][B]} dev bond0 table 77"]):
        yield


@fault("no-allow-line-at-a", "allow", f"no allow line lets the networks here reach {LAN[4][B]}", "10.10.9.0/24")
def no_allow_line_at_a(clinic):
    with clinic.edited(A, f"allow = {LAN[4][A]} <->", "allow = 10.10.9.0/24 <->"):
        yield


@fault("host-not-allowed-at-a", "allow", f"no allow line lets {HOST[4][A]} in the LAN reach {HOST[4][B]}",
       ask=("--host", HOST[4][B]))
def host_not_allowed_at_a(clinic):
    with clinic.edited(A, f"<-> {LAN[4][B]}", "<-> 20.10.1.128/25"):
        yield


@fault("same-network-at-both-ends", "overlap", "both ends have the same network", "eth1")
def same_network_at_both_ends(clinic):
    with clinic.edited(A, f"route = {LAN[4][B]}", "route = 10.10.1.128/25"):
        yield


@fault("masquerade-missing", "masquerade", "no masquerade line covers 10.10.1.0/24",
       f"masquerade = {LAN[4][A]} out {NAME}")
def masquerade_missing(clinic):
    """A hides another network of its own, and B has no route to this one."""
    with clinic.edited(A, "enable = yes", f"enable = yes\nmasquerade = 10.10.2.0/24 out {NAME}"), \
         clinic.edited(B, ROUTE_OF_LAN_A, ""):
        yield


@fault("masquerade-not-in-force", "masquerade", "the masquerade line for 10.10.1.0/24 is not in force",
       HOST[4][A])
def masquerade_not_in_force(clinic):
    """Somebody's rule has decided about the address before ours is asked."""
    clinic.traffic()
    with clinic.edited(A, "enable = yes", f"enable = yes\nmasquerade = {LAN[4][A]} out {NAME}"), \
         clinic.rules(A, "prerouting", f"ip saddr {LAN[4][A]} notrack", priority="-300"):
        yield


@fault("stale-connection-after-nat-change", "stale-nat", "connection tracking remembers",
       "from before the masquerade line", f"conntrack -D -s {HOST[4][A]} -d {HOST[4][B]}")
def stale_connection_after_nat_change(clinic):
    """A stream that goes on while A begins to translate, and B has lost the way back."""
    sock = udp(clinic.scene.host[A], 4, HOST[4][A], 5001)
    with contextlib.closing(sock), clinic.edited(B, ROUTE_OF_LAN_A, ""):
        sock.sendto(b"before", (HOST[4][B], 5001))
        with clinic.edited(A, "enable = yes", f"enable = yes\nmasquerade = {LAN[4][A]} out {NAME}"):
            sock.sendto(b"after", (HOST[4][B], 5001))
            yield


@fault("no-multicast-at-a", "multicast", "takes no multicast", f"ip link set dev {NAME} multicast on",
       exit=DEGRADED)
def no_multicast_at_a(clinic):
    with clinic.ip(A, f"link set dev {NAME} multicast off", f"link set dev {NAME} multicast on"):
        yield


@fault("learnt-mtu-at-a", "path-cache", f"packets to {TUNNEL[4][B]}", "600 octets", exit=DEGRADED)
def learnt_mtu_at_a(clinic):
    with clinic.ip(A, f"route replace {TUNNEL[4][B]} dev {NAME} src {TUNNEL[4][A]} proto static scope link mtu 600",
                   f"route replace {TUNNEL[4][B]} dev {NAME} src {TUNNEL[4][A]} proto kernel scope link"):
        yield


@fault("answers-take-another-way-at-a", "return-path", "answers take another way", "198.51.100.7", "leaves by bond0",
       exit=DEGRADED)
def answers_take_another_way_at_a(clinic):
    """A client that only B knows comes in by the tunnel; A's default route is the internet's."""
    guest, allow = "198.51.100.7", f"allow = 198.51.100.0/24 -> {LAN[4][A]}"
    default = f"default via {UNDERLAY[4][B]}"
    with clinic.edited(A, "enable = yes", f"enable = yes\n{allow}"), \
         clinic.edited(B, "enable = yes", f"enable = yes\n{allow}"), \
         clinic.ip(A, f"route add {default}", f"route del {default}"), \
         clinic.ip(B, f"address add {guest}/32 dev eth0", f"address del {guest}/32 dev eth0", host=True), \
         clinic.ip(B, f"route add {guest}/32 via {HOST[4][B]}", f"route del {guest}/32 via {HOST[4][B]}"):
        pings = clinic.scene.host[B].popen(["ping", "-q", "-i", "0.05", "-I", guest, HOST[4][A]],
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: guest in clinic.scene.router[A].run(["conntrack", "-L"]).stdout, 5)
        try:
            yield
        finally:
            pings.kill()
            pings.wait(5)


# At B, which A's doctor sees only through the tunnel. ----------------------------------------------

@fault("no-forwarding-at-b", "peer-forwarding", "the peer does not forward", TUNNEL[4][B], FORWARD4)
def no_forwarding_at_b(clinic):
    with clinic.edited(B, "enable = yes", "enable = no"), clinic.sysctl(B, FORWARD4, 0):
        clinic.traffic()
        yield


@fault("no-forwarding6-at-b", "peer-forwarding", "the peer does not forward", TUNNEL[6][B], FORWARD6,
       ask=("--host", HOST[6][B]))
def no_forwarding6_at_b(clinic):
    with clinic.edited(B, "enable = yes", "enable = no"), clinic.sysctl(B, FORWARD4, 1, FORWARD6, 0):
        yield


@fault("forward-policy-at-b", "peer-rules", "a rule at the peer drops", HOST[4][B])
def forward_policy_at_b(clinic):
    with clinic.rules(B, "forward", policy="drop"):
        clinic.traffic()
        yield


@fault("no-allow-line-at-b", "peer-rules", "a rule at the peer drops", HOST[4][B])
def no_allow_line_at_b(clinic):
    with clinic.edited(B, f"allow = {LAN[4][B]} <-> {LAN[4][A]}", f"allow = {LAN[4][B]} <-> 10.99.0.0/16"):
        clinic.traffic()
        yield


@fault("no-route-at-b", "peer-route", f"the peer has no way back to {LAN[4][A]}", ROUTER[4][A],
       never=("no masquerade line",))
def no_route_at_b(clinic):
    with clinic.edited(B, ROUTE_OF_LAN_A, ""):
        yield


@fault("no-route6-at-b", "peer-route", f"the peer has no way back to {LAN[6][A]}", ROUTER[6][A])
def no_route6_at_b(clinic):
    with clinic.edited(B, f"route = {LAN[6][A]}\n", ""):
        yield


@fault("other-inner-address-at-b", "peer-address", f"the peer's inner address is not {TUNNEL[4][B]}",
       "192.168.8.99")
def other_inner_address_at_b(clinic):
    with clinic.edited(B, f"address = {TUNNEL[4][B]} peer", "address = 192.168.8.99 peer"):
        yield


@fault("host-behind-b-gone", "far-host", "20.10.1.99 behind the peer cannot be reached", "says so",
       ask=("--host", "20.10.1.99"))
def host_behind_b_gone(clinic):
    clinic.traffic()
    yield


@fault("host-behind-b-gone-and-b-does-not-say-so", "far-host", "20.10.1.99 behind the peer is silent",
       f"while {HOST[4][B]} answers", ask=("--host", "20.10.1.99"))
def host_behind_b_gone_and_b_does_not_say_so(clinic):
    with clinic.rules(B, "output", "icmp type destination-unreachable drop"):
        clinic.traffic()
        yield


@fault("host-behind-b-gone-and-asked-for", "far-host", "20.10.1.99 behind the peer cannot be reached",
       f"{HOST[4][A]} here asks")
def host_behind_b_gone_and_asked_for(clinic):
    clinic.forget()
    clinic.traffic(to="20.10.1.99")
    yield


@fault("host-behind-b-without-gateway", "far-host", f"{HOST[4][B]} behind the peer is silent",
       "gateway or route that leads back")
def host_behind_b_without_gateway(clinic):
    with clinic.ip(B, "route del default", f"route add default via {ROUTER[4][B]}", host=True):
        clinic.traffic()
        yield


@fault("answers-of-b-by-the-underlay", "peer-route", f"the peer's answers to {LAN[4][A]} come in by bond0",
       exit=DEGRADED)
def answers_of_b_by_the_underlay(clinic):
    route = f"{LAN[4][A]} via {UNDERLAY[4][A]} dev bond0"
    with clinic.edited(B, ROUTE_OF_LAN_A, ""), clinic.ip(B, f"route add {route}", f"route del {route}"):
        yield
