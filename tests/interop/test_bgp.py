# SPDX-License-Identifier: GPL-2.0-or-later
"""BGP as a customer of AWS Transit Gateway Connect: examples/aws-connect.conf as it is, two sessions.

    10.30.0.0/16 [customer] 10.0.1.10 ═══ 10.99.0.1 [ gateway ] ── [ second ]   10.20.0.0/16
              169.254.6.1   tgw1                    169.254.6.2     169.254.6.3

The gateway of that scene has two BGP speakers at the far end of one tunnel, as AWS has; both offer the networks that
are attached to it, and the customer uses both. The second speaker is one hop behind the tunnel's end,
hence the multihop of two that AWS prescribes.

Another one has two Connect peers: two tunnels, a session over each, and the gateway at the far end of both.
"""
import time

import pytest
from flow import Sink, Stream, tcp_transfer, udp
from frr import Frr, routes
from gretel import ROOT, Site, ping, section
from net import veth, wait_for

EXAMPLE = ROOT / "examples/aws-connect.conf"
OUTER = {"customer": "10.0.1.10", "gateway": "10.99.0.1"}
INSIDE = "169.254.6.1"
SPEAKERS = {"gateway": "169.254.6.2", "second": "169.254.6.3"}
HERE, THERE = "10.30.0.0/16", "10.20.0.0/16"
HERE6, THERE6 = "fd00:30::/48", "fd00:20::/48"
# Tunnel: the gateway's outer address, and the inner ones of the customer and of the gateway.
CONNECT_PEERS = {"tgw1": (OUTER["gateway"], INSIDE, SPEAKERS["gateway"]),
                 "tgw2": ("10.99.0.2", "169.254.7.1", "169.254.7.2")}
UP_WITHIN = 15
FLOWS, LEAST = 32, 1 / 8  # of 32 flows fewer than 4 on one of two ways: once in 600,000 times
CUSTOMER_AS, AWS_AS = 64520, 64512


def speaker(address, own_as, neighbours, other_as, *networks):
    lines = [f"router bgp {own_as}", f" bgp router-id {address}", " no bgp ebgp-requires-policy",
             " no bgp network import-check", " bgp bestpath as-path multipath-relax"]
    for one in neighbours:
        lines += [f" neighbor {one} remote-as {other_as}", f" neighbor {one} ebgp-multihop 2",
                  f" neighbor {one} timers 10 30", f" neighbor {one} timers connect 1",
                  f" neighbor {one} advertisement-interval 0"]
    for kind, prefix in zip(("ipv4", "ipv6"), networks):
        lines += [f" address-family {kind} unicast", f"  network {prefix}", "  maximum-paths 2"]
        lines += [f"  neighbor {one} activate" for one in neighbours] + [" exit-address-family"]
    return "\n".join(lines) + "\n"


@pytest.fixture
def connect(host, undo, tmp_path):
    """The scene with tunnels up at both ends; nobody speaks BGP yet."""
    made = {label: host(label) for label in ("customer", "gateway", "second")}
    customer, gateway, second = made.values()
    veth(customer, "ens5", gateway, "vpc", mtu=8500)
    veth(gateway, "inside", second, "eth0", mtu=8500)
    customer.ip("address add 10.0.1.10/24 dev ens5", "route add 10.99.0.1 dev ens5", "address add 10.30.0.1/16 dev lo",
                "address add fd00:30::1/48 dev lo nodad")
    gateway.ip("address add 10.99.0.1/24 dev vpc", "route add 10.0.1.10 dev vpc", "address add 10.20.0.1/16 dev lo",
               "address add fd00:20::1/48 dev lo nodad", "route add 169.254.6.3 dev inside")
    second.ip("address add 169.254.6.3/32 dev eth0", "route add 169.254.6.2 dev eth0",
              "route add default via 169.254.6.2 dev eth0")
    site = Site(customer, tmp_path / "customer", EXAMPLE.read_text() + section("forward", enable="yes"))
    other = Site(gateway, tmp_path / "gateway", section(
        "tunnel", "tgw", local=OUTER["gateway"], remote=OUTER["customer"], mtu=8476,
        address=["169.254.6.2/29", "fd00:6::2/125"]) + section("forward", enable="yes"))
    for one in (other, site):
        one.up()
    site.forget_drops()
    return made, site


def established(router):
    found = router.show("bgp ipv4 unicast summary").get("peers", {})
    return {address: one["state"] for address, one in found.items()}


def hops(namespace, family, prefix):
    """Gateways in the tunnels of the kernel's routes to the prefix."""
    found = routes(namespace, prefix, family)
    return sorted(hop["gateway"] for route in found for hop in route.get("nexthops", [route])
                  if hop.get("dev") in CONNECT_PEERS)


def test_two_sessions_and_both_ways_in_use(connect, undo):
    """Established, and both ways in use at once; IPv6 prefixes come by the same sessions, as AWS sends
    them; the largest packets pass; and when a speaker ends, so does its way."""
    hosts, site = connect
    router = hosts["customer"]
    customer = Frr(router, undo, speaker(INSIDE, CUSTOMER_AS, SPEAKERS.values(), AWS_AS, HERE, HERE6), "bgpd")
    aws = {label: Frr(hosts[label], undo, speaker(address, AWS_AS, [INSIDE], CUSTOMER_AS, THERE, THERE6), "bgpd")
           for label, address in SPEAKERS.items()}

    def told():
        return router.run(["ip", "route"]).stdout + customer.do("show bgp ipv4 unicast", "show bgp ipv6 unicast")
    wait_for(lambda: established(customer) == dict.fromkeys(SPEAKERS.values(), "Established"), 15,
             lambda: established(customer))
    wait_for(lambda: hops(router, 4, THERE) == sorted(SPEAKERS.values()), 10, told)
    wait_for(lambda: len(hops(router, 6, THERE6)) == 2, 10, told)
    wait_for(lambda: routes(hosts["gateway"], HERE), 10, told)
    assert router.link("tgw1")["mtu"] == 8476
    ping(router, "10.20.0.1", size=8476 - 28, df="do")
    ping(router, "fd00:20::1", size=8476 - 48)
    done = tcp_transfer(router, hosts["gateway"], 4, "10.20.0.1", 1_000_000)
    assert done, done
    # Segments that the device had merged are dropped while their length is not known yet.
    assert site.drops("tgw1").keys() <= {"rx-merged"}
    aws["second"].stop()
    wait_for(lambda: hops(router, 4, THERE) == [SPEAKERS["gateway"]], 10, told)
    ping(router, "10.20.0.1")


@pytest.fixture
def two_peers(host, undo, tmp_path):
    """{label: host} and {label: Site}: two tunnels between customer and gateway; nobody speaks BGP yet."""
    hosts = {label: host(label) for label in ("customer", "gateway")}
    customer, gateway = hosts.values()
    veth(customer, "ens5", gateway, "vpc", mtu=8500)
    customer.ip("address add 10.0.1.10/24 dev ens5", "address add 10.30.0.1/16 dev lo")
    gateway.ip("route add 10.0.1.10 dev vpc", "address add 10.20.0.1/16 dev lo")
    texts = dict.fromkeys(hosts, section("forward", enable="yes"))
    for name, (outer, near, far) in CONNECT_PEERS.items():
        customer.ip(f"route add {outer} dev ens5")
        gateway.ip(f"address add {outer}/32 dev vpc")
        texts["customer"] += section("tunnel", name, profile="aws-connect", local=OUTER["customer"], remote=outer,
                                     address=f"{near}/29")
        texts["gateway"] += section("tunnel", name, local=outer, remote=OUTER["customer"], mtu=8476,
                                    address=f"{far}/29")
    sites = {label: Site(hosts[label], tmp_path / label, text) for label, text in texts.items()}
    for label, site in sites.items():
        # The daemon's routes, so ours to say: by addresses alone all flows between two hosts go one way.
        hosts[label].sysctl("net.ipv4.fib_multipath_hash_policy", 1)
        site.up()
    return hosts, sites


def test_flows_use_both_tunnels(two_peers, undo):
    """Both sessions and both next hops in the kernel's route within 15 s; of many flows some go by the one
    tunnel and some by the other, and nothing is lost."""
    hosts, sites = two_peers
    begun = time.monotonic()
    ends = {"customer": [near for _, near, _ in CONNECT_PEERS.values()],
            "gateway": [far for _, _, far in CONNECT_PEERS.values()]}
    customer = Frr(hosts["customer"], undo, speaker(INSIDE, CUSTOMER_AS, ends["gateway"], AWS_AS, HERE), "bgpd")
    Frr(hosts["gateway"], undo, speaker(ends["gateway"][0], AWS_AS, ends["customer"], CUSTOMER_AS, THERE), "bgpd")

    def told():
        return hosts["customer"].run(["ip", "route"]).stdout + customer.do("show bgp ipv4 unicast")
    wait_for(lambda: hops(hosts["customer"], 4, THERE) == ends["gateway"]
             and hops(hosts["gateway"], 4, HERE) == ends["customer"], UP_WITHIN - (time.monotonic() - begun), told)
    assert established(customer) == dict.fromkeys(ends["gateway"], "Established")

    sites["gateway"].forget_drops()  # of the time when only one end was there
    before = {name: sites["gateway"].tunnel(name)["rx"]["packets"] for name in CONNECT_PEERS}
    sink = Sink(hosts["gateway"], 4, 9000, "10.20.0.1")
    undo.callback(sink.close)
    flows = [udp(hosts["customer"], 4, "10.30.0.1") for _ in range(FLOWS)]
    for flow in flows:
        undo.callback(flow.close)
        flow.connect(("10.20.0.1", 9000))
    stream = Stream(flows, rate=2000)
    wait_for(lambda: stream.sent >= 100, 30)
    sent = stream.stop() * FLOWS
    wait_for(lambda: len(sink.numbers.get("10.30.0.1", ())) == sent, 5, lambda: (sent, len(sink.numbers["10.30.0.1"])))
    carried = {name: sites["gateway"].tunnel(name)["rx"]["packets"] - before[name] for name in CONNECT_PEERS}
    assert min(carried.values()) >= sent * LEAST and sum(carried.values()) >= sent, carried
    assert not any(sites["gateway"].drops(name) for name in CONNECT_PEERS)
