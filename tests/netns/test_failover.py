# SPDX-License-Identifier: GPL-2.0-or-later
"""A tunnel that is lost leaves its flows to another: backups and groups."""
import pytest
from dump import assert_same, dump
from failover import Line, Numbers, both, carriers, cut, cut_and_mend, mend, second_wire, tunnel
from gretel import ping
from net import wait_for
from scene import A, B, HOST, LAN, ROUTER

# On a busy machine; at 100ms 3, alone, `make soak` measures.
KEEPALIVE = "200ms 3"
FAMILIES = pytest.mark.parametrize("family", (4, 6))


@pytest.fixture
def wires(scene):
    second_wire(scene)
    return scene


def device_of(router, address, *words):
    family = "-6" if ":" in address else "-4"
    return router.ip_json(f"{family} route get {' '.join((address, *words))}")[0]["dev"]


@FAMILIES
def test_backup(wires, tmp_path, undo, family):
    """The primary's path is cut in silence: its backup takes over, and gives back without loss."""
    sites = both(wires, tmp_path, {}, {"backup-of": "first"}, outer=family, keepalive=KEEPALIVE)
    router = wires.router[A]
    assert device_of(router, HOST[family][B]) == "first"
    numbers, line = Numbers(wires, family), Line(wires, family)
    undo.callback(numbers.close)
    stood = []
    for _ in range(2):
        datagrams, tcp, lost = cut_and_mend(wires, numbers, line)
        stood.append((datagrams, tcp))
        assert not lost, f"lost by the switch back: {lost[:9]}"
        wait_for(lambda: device_of(router, HOST[family][B]) == "first", 5)
    line.finish()
    print("stood still (datagrams, TCP):", ", ".join(f"{a * 1e3:.0f} ms, {b * 1e3:.0f} ms" for a, b in stood))
    for site in sites.values():
        plan = site.plan()
        assert plan.returncode == 0, plan.stdout


@FAMILIES
def test_sockets_of_the_router(wires, tmp_path, undo, family):
    """A socket that is connected already finds the other way, IPv6 too, where the kernel alone does
    not look again."""
    both(wires, tmp_path, {}, {"backup-of": "first"}, keepalive=KEEPALIVE)
    numbers = Numbers(wires, family, address=ROUTER[family][A])
    undo.callback(numbers.close)
    datagrams, _, lost = cut_and_mend(wires, numbers)
    assert not lost
    print(f"stood still: {datagrams * 1e3:.0f} ms")


def test_two_carriers_at_once(wires, tmp_path):
    """The kernel publishes one carrier a second; ours are known at once."""
    both(wires, tmp_path, {}, {"backup-of": "first"}, keepalive=KEEPALIVE)
    router = wires.router[A]
    router.ip("route add 20.10.1.0/24 via 172.19.1.2 dev bond0 metric 9000")
    cut(wires, "first")
    wait_for(lambda: carriers(wires, "first", False), 5)
    cut(wires, "second")
    wait_for(lambda: carriers(wires, "second", False), 5)
    assert device_of(router, HOST[4][B]) == "bond0"
    mend(wires, "second")
    wait_for(lambda: carriers(wires, "second", True), 5)
    assert device_of(router, HOST[4][B]) == "second"


def spread(router, family, count=256, port=6100):
    """Over which tunnels `count` flows of hostA to that port are led: {name: [source ports]}."""
    lines = "\n".join(f"route get {HOST[family][B]} from {HOST[family][A]} iif eth1 ipproto udp "
                      f"sport {20000 + n} dport {port}" for n in range(count))
    said = router.run(["ip", f"-{family}", "-o", "-batch", "-"], stdin=lines + "\n", check=False).stdout
    found = {}
    devices = [words[words.index("dev") + 1] for words in map(str.split, said.splitlines()) if "dev" in words]
    for n, device in enumerate(devices):
        found.setdefault(device, []).append(20000 + n)
    return found


def flows_over(wires, family, names):
    """One flow for each of these tunnels, from a source port that leads there."""
    taken = set()
    for port, name in enumerate(names, 6100):
        source = next(one for one in spread(wires.router[A], family, 128, port)[name] if one not in taken)
        taken.add(source)
        yield Numbers(wires, family, port=port, interval=0.01, source=source)


def routes(side):
    return [LAN[family]["B" if side == A else "A"] for family in (4, 6)]


def grouped(wires, tmp_path, weight=1, **keys):
    """Both tunnels in one group; the second lists the routes as well."""
    sites = both(wires, tmp_path, {"group": "g"}, {"group": f"g weight {weight}"}, **keys)
    for side, site in sites.items():
        second = site.file.read_text().index("[tunnel second]")
        text = site.file.read_text()
        lines = "".join(f"route = {prefix}\n" for prefix in routes(side))
        head, tail = text[:second], text[second:]
        site.write(head + tail.replace("local =", lines + "local =", 1))
        site.reload()
    # A peer that came late is held down, and its tunnel is no member until it has answered for a while.
    wait_for(lambda: all(one["keepalive"]["state"] in ("up", "off")
                         for site in sites.values() for one in site.status()["tunnels"]), 10)
    return sites


@FAMILIES
def test_group(wires, tmp_path, undo, family):
    """Flows are spread by weight; those of a member that is lost go on over the other one."""
    before = dump(wires.router[A])
    sites = grouped(wires, tmp_path, 3, keepalive=KEEPALIVE)
    router = wires.router[A]
    found = spread(router, family)
    assert {"first", "second"} == set(found) and 0.6 < len(found["second"]) / 256 < 0.9, \
        {name: len(ports) for name, ports in found.items()}
    flows = list(flows_over(wires, family, 2 * ["first"] + 6 * ["second"]))
    for flow in flows:
        undo.callback(flow.close)
    for flow in flows:
        flow.flows(3)

    def used():  # in whichever lane; the interface sees greteld's packets only
        return [one["tx"]["packets"] for one in sites[A].status()["tunnels"]]
    wait_for(lambda: min(used()) > 5, 5, used)
    name, left = ("first", "second") if family == 4 else ("second", "first")
    cut(wires, name)
    wait_for(lambda: carriers(wires, name, False), 5)
    for flow in flows:
        flow.flows(3)
    wait_for(lambda: set(spread(router, family)) == {left}, 5)
    begun = [flow.flows(3) for flow in flows]
    mend(wires, name)
    wait_for(lambda: carriers(wires, name, True), 10)
    lost = [flow.missing(first, flow.flows(3)) for first, flow in zip(begun, flows)]
    assert not any(lost), f"lost by the return of {name}: {lost}"
    wait_for(lambda: set(spread(router, family)) == {"first", "second"}, 5)
    for site in sites.values():
        plan = site.plan()
        assert plan.returncode == 0, plan.stdout
    sites[A].down()
    assert_same(before, dump(router))


def without_second(text):
    return text[:text.index("[tunnel second]")] + text[text.index("[forward]"):]


def all_flow(flows):
    """Waits until each of them arrives; returns what each sends next, {flow: number}. What a busy machine
    has lost before that is not for the test to find."""
    for flow in flows:
        flow.flows(3)
    return {flow: flow.sent for flow in flows}


@FAMILIES
def test_members_come_and_go(wires, tmp_path, undo, family):
    """A reload that takes a member out of a group, or puts it in, costs the others nothing."""
    sites = grouped(wires, tmp_path)
    router = wires.router[A]
    flows = [Numbers(wires, family, port=6100 + n, interval=0.005) for n in range(12)]
    for flow in flows:
        undo.callback(flow.close)
    port = {flow: flow.sender.getsockname()[1] for flow in flows}

    def device(flow):
        return device_of(router, HOST[family][B], "from", HOST[family][A], "iif", "eth1", "ipproto", "udp",
                         "sport", str(port[flow]), "dport", str(flow.receiver.getsockname()[1]))
    stay = [flow for flow in flows if device(flow) == "first"]
    assert 0 < len(stay) < len(flows)
    full = {side: site.file.read_text() for side, site in sites.items()}
    begun = all_flow(flows)
    for side in (A, B):
        sites[side].write(without_second(full[side]))
        sites[side].reload()
    lost = {port[flow]: flow.missing(begun[flow], flow.flows(3)) for flow in stay}
    assert not any(lost.values()), lost
    assert set(spread(router, family)) == {"first"}
    begun = all_flow(flows)
    for side in (B, A):
        sites[side].write(full[side])
        sites[side].reload()
    assert set(spread(router, family)) == {"first", "second"}
    lost = {port[flow]: flow.missing(begun[flow], flow.flows(3)) for flow in flows}
    assert not any(lost.values()), lost


@FAMILIES
def test_one_of_three_leaves(wires, tmp_path, family):
    """Two stay, which in IPv6 have gateways as long as they are several."""
    sites = grouped(wires, tmp_path)
    router, two = wires.router[A], sites[A].file.read_text()
    begin, end = two.index("[tunnel second]"), two.index("[forward]")
    third = [line for line in two[begin:end].replace("[tunnel second]", "[tunnel third]").splitlines()
             if not line.startswith("address")]
    sites[A].write(two[:end] + "\n".join(third) + "\nkey = 3\n" + two[end:])

    def members():
        return {hop["dev"] for route in multipath(router, family) for hop in route["nexthops"]}
    sites[A].reload()
    assert members() == {"first", "second", "third"}
    sites[A].write(two)
    sites[A].reload()
    assert members() == {"first", "second"}
    assert sites[A].plan().returncode == 0, sites[A].plan().stdout


def multipath(router, family):
    return [route for route in router.ip_json(f"-{family} route show {LAN[family][B]}") if "nexthops" in route]


HARM = {
    "deleted": lambda r, f: r.ip(f"route del {LAN[f][B]}"),
    "replaced": lambda r, f: r.ip(f"route replace {LAN[f][B]} dev first proto 71" + (" metric 1024" if f == 6 else "")),
    "link deleted": lambda r, f: r.ip("link del second"),
    "link down": lambda r, f: r.ip("link set dev second down"),
}


@FAMILIES
@pytest.mark.parametrize("what", HARM)
def test_repair_of_a_group(wires, tmp_path, family, what):
    sites = grouped(wires, tmp_path)
    router = wires.router[A]
    ping(wires.host[A], HOST[family][B])
    HARM[what](router, family)

    def healed():
        found = multipath(router, family)
        return found and {hop["dev"] for hop in found[0]["nexthops"]} == {"first", "second"} and \
            not any("dead" in hop["flags"] for hop in found[0]["nexthops"])
    wait_for(healed, 5, lambda: router.run(["ip", f"-{family}", "route"]).stdout)
    wait_for(lambda: sites[A].plan().returncode == 0, 5, lambda: sites[A].plan().stdout)
    assert set(spread(router, family)) == {"first", "second"}


def test_settings_are_kept(wires, tmp_path):
    """Strict rp_filter of the host is loose on our own interfaces only, and the rest as it was."""
    router = wires.router[A]
    router.sysctl("net.ipv4.conf.all.rp_filter", 1)
    router.sysctl("net.ipv4.conf.default.rp_filter", 1)
    before = dump(router)
    site = both(wires, tmp_path, {}, {"backup-of": "first"}, keepalive=KEEPALIVE)[A]
    for name in ("first", "second"):
        assert router.sysctl(f"net.ipv4.conf.{name}.rp_filter") == "2"
        for family in (4, 6):
            path = f"net.ipv{family}.conf.{name}.ignore_routes_with_linkdown"
            assert router.sysctl(path) == "1"
            router.sysctl(path, 0)
            if family == 4:  # what the kernel announces
                wait_for(lambda: router.sysctl(path) == "1", 5)
    router.sysctl("net.ipv4.conf.second.rp_filter", 0)
    wait_for(lambda: router.sysctl("net.ipv4.conf.second.rp_filter") == "2", 5)
    site.down()
    assert_same(before, dump(router))
