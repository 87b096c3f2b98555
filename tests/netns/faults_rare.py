# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that take more to bring about: a hop between the routers, a peer that answers half of what it
is asked, fragments, somebody who fights greteld."""
import contextlib
import subprocess

from clinic import DEGRADED, registry
from gretel import NAME
from net import wait_for
from scene import A, B, HOST, LAN, TUNNEL, UNDERLAY

ROWS, fault = registry()


@contextlib.contextmanager
def fought(clinic):
    """Greteld has been fought until it waits before it repairs anything."""
    site, router = clinic.sites[A], clinic.scene.router[A]

    def fight():
        router.run(["nft", "delete", "table", "inet", "gretel"], check=False)
        return site.status()["repairs"]["fight"]
    try:
        wait_for(fight, 20, lambda: site.status()["repairs"], interval=0.06)
        yield
    finally:
        site.down()  # which forgets it
        site.up()


@fault("table-flushed-again-and-again", "undone", "something undoes again and again", "nft table inet gretel",
       exit=DEGRADED)
def table_flushed_again_and_again(clinic):
    with fought(clinic):
        wait_for(lambda: "table inet gretel" in clinic.scene.router[A].run(["nft", "list", "tables"]).stdout, 10)
        yield


@fault("table-gone", "not-in-place", "something that the file wants is not there", "gretel reload")
def table_gone(clinic):
    with fought(clinic):
        clinic.scene.router[A].run(["nft", "delete", "table", "inet", "gretel"], check=False)
        yield


@fault("interface-set-down", "interface", f"somebody has set the interface {NAME} down")
def interface_set_down(clinic):
    with fought(clinic):
        clinic.scene.router[A].ip(f"link set dev {NAME} down")
        yield


@fault("interface-deleted", "interface", f"there is no interface {NAME}")
def interface_deleted(clinic):
    with fought(clinic):
        clinic.scene.router[A].ip(f"link delete dev {NAME}")
        yield


@fault("ttl-used-up", "ttl", "TTL 1 of the outer packets is used up", UNDERLAY[4][B], "ttl = 64 at")
def ttl_used_up(clinic):
    """The peer is a host behind B, one hop too far."""
    hop = f"{HOST[4][B]}/32 via {UNDERLAY[4][B]}"
    with clinic.ip(A, f"route add {hop}", f"route del {hop}"), \
         clinic.edited(A, f"remote = {UNDERLAY[4][B]}", f"remote = {HOST[4][B]}\nttl = 1",
                       f"route = {LAN[4][B]}\n", ""):
        yield


@fault("keepalive-not-sent-back", "keepalive", "does not send keepalives of this form back")
def keepalive_not_sent_back(clinic):
    """GRE in GRE does not get into the peer: behind the outer header and 8 octets stands protocol 47."""
    with clinic.rules(B, "input", "meta l4proto gre @nh,296,8 47 drop"), \
         clinic.edited(A, "key = 4242", "key = 4242\nkeepalive = 100ms 3"):
        wait_for(lambda: clinic.sites[A].tunnel()["keepalive"]["state"] == "down", 10)
        yield


@fault("peer-sends-fragments", "pieces", f"GRE of the peer {UNDERLAY[4][B]} arrives in fragments", exit=DEGRADED)
def peer_sends_fragments(clinic):
    with clinic.edited(B, "key = 4242", "key = 4242\nmtu = 1500\ndf = clear"):
        pings = clinic.scene.host[B].popen(["ping", "-q", "-i", "0.02", "-s", "1472", "-M", "dont", HOST[4][A]],
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            pings.kill()
            pings.wait(5)


@fault("way-back-carries-less", "return-mtu", f"the way back from {UNDERLAY[4][B]} carries only", exit=DEGRADED)
def way_back_carries_less(clinic):
    with clinic.ip(B, f"route add {UNDERLAY[4][A]}/32 dev bond0 mtu 1400", f"route del {UNDERLAY[4][A]}/32 dev bond0"):
        yield


@fault("foreign-interface", "foreign-interface", f"the interface {NAME} is somebody else's")
def foreign_interface(clinic):
    with fought(clinic):
        clinic.scene.router[A].ip(f"link delete dev {NAME}", f"link add {NAME} type bridge")
        try:
            yield
        finally:
            clinic.scene.router[A].ip(f"link delete dev {NAME}")


@fault("inner-peer-silent", "peer-address", f"nothing at the other end answers on the inner address {TUNNEL[4][B]}")
def inner_peer_silent(clinic):
    """B takes the tunnel's packets and answers no echo on the tunnel."""
    with clinic.rules(B, "input", f'iifname "{NAME}" meta l4proto icmp drop'):
        yield


@fault("device-of-the-local-address-missing", "ends", "nodev0")
def device_of_the_local_address_missing(clinic):
    with clinic.edited(A, f"local = {UNDERLAY[4][A]}", "local = address-of nodev0"):
        yield


@fault("stale-translation-of-outer-packets", "stale-gre", "connection tracking translates the tunnel's outer packets",
       "172.19.1.77", f"conntrack -D -p gre -s {UNDERLAY[4][A]} -d {UNDERLAY[4][B]}")
def stale_translation_of_outer_packets(clinic):
    """Somebody's NAT rule is gone, what it did to the tunnel is not."""
    with clinic.edited(A, "key = 4242", "key = 4242\nnotrack = no",
                       "enable = yes", f"enable = yes\nmasquerade = 10.10.2.0/24 out {NAME}"):
        def translated():
            """Whether packets after this are: an entry that is older than the rule would stay as it is."""
            clinic.forget()
            clinic.traffic()
            return "172.19.1.77" in clinic.scene.router[A].run(["conntrack", "-L", "-p", "gre"]).stdout
        with clinic.rules(A, "postrouting", "meta l4proto gre snat ip to 172.19.1.77", kind="nat", priority="90"):
            # Packets go past connection tracking until greteld has heard of the rule.
            wait_for(translated, 20, "a translated entry of GRE")
        yield
