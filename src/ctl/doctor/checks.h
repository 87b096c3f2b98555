/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checks.h: all checks, in the order in which they are made. What is below breaks what is above, so
 * of two findings of the same weight the earlier is the cause. A row needs a function
 * check_IDENTIFIER() in a file check_*.c and a row in docs/doctor.md, which a test compares.
 */
#ifndef CTL_DOCTOR_CHECKS_H
#define CTL_DOCTOR_CHECKS_H

/* clang-format off */
/* X(identifier, name shown, layer, flags, what it finds) */
#define DOCTOR_CHECKS(X) \
	X(file, "file", SITE, CHECK_PLAIN, "the file has a fault, and greteld goes on with what it read before") \
	X(file_differs, "file-differs", SITE, CHECK_PLAIN, "the file was changed and not loaded") \
	X(foreign_interface, "foreign-interface", SITE, CHECK_PLAIN, "the interface of this name is somebody else's") \
	X(daemon, "daemon", SITE, CHECK_PLAIN, "no daemon answers, or it does not serve this namespace") \
	X(ends, "ends", SITE, CHECK_PLAIN, "an outer address is not known: of a name, a device, or a peer") \
	X(interface, "interface", SITE, CHECK_SOUND, "the interface is missing, or down") \
	X(device_down, "device-down", UNDERLAY, CHECK_PLAIN, "the underlay device is down or has no carrier") \
	X(recursive_route, "recursive-route", UNDERLAY, CHECK_PLAIN, "the route to the peer leads into a tunnel") \
	X(local_address, "local-address", UNDERLAY, CHECK_PLAIN, "the local address is not on this host") \
	X(no_route, "no-route", UNDERLAY, CHECK_PLAIN, "no route leads to the peer") \
	X(vrf_deaf, "vrf-deaf", UNDERLAY, CHECK_PLAIN, "the underlay is in a VRF, whose packets the kernel keeps from greteld") \
	X(not_in_place, "not-in-place", SITE, CHECK_SOUND, "something that the file wants is not there, or stands in its way") \
	X(neighbour, "neighbour", UNDERLAY, CHECK_SOUND | CHECK_PROBE, "the peer, or the gateway to it, is not there on its link") \
	X(unreachable, "unreachable", UNDERLAY, CHECK_SOUND | CHECK_PROBE, "a router says that the peer cannot be reached") \
	X(ttl, "ttl", UNDERLAY, CHECK_SOUND | CHECK_PROBE, "the outer packets live too short to reach the peer") \
	X(stale_gre, "stale-gre", GRE, CHECK_SOUND | CHECK_PROBE, "connection tracking translates outer packets that nobody answers") \
	X(gre_refused_here, "gre-refused-here", GRE, CHECK_SOUND | CHECK_PROBE, "a rule or an IPsec policy of this host refuses outgoing GRE") \
	X(gre_dropped_here, "gre-dropped-here", GRE, CHECK_SOUND | CHECK_PROBE, "a rule or an IPsec policy of this host drops arriving GRE") \
	X(ipsec, "ipsec", GRE, CHECK_SOUND, "an IPsec policy for GRE does not match what greteld sends") \
	X(filtered, "filtered", GRE, CHECK_SOUND | CHECK_PROBE, "a filter on the way, or of the peer, says that it forbids GRE") \
	X(no_gre, "no-gre", GRE, CHECK_SOUND | CHECK_PROBE, "the peer has nothing that takes GRE") \
	X(key, "key", GRE, CHECK_SOUND, "the peer sends another key, or none") \
	X(type, "type", GRE, CHECK_SOUND, "the peer sends another kind of passenger, another protocol in GRE, or GRE in UDP otherwise") \
	X(options, "options", GRE, CHECK_SOUND, "checksums or sequence numbers do not agree") \
	X(stranger, "stranger", GRE, CHECK_SOUND, "GRE comes from another address than the peer's") \
	X(no_tunnel, "no-tunnel", GRE, CHECK_SOUND | CHECK_PROBE, "the peer takes GRE, but has no tunnel for what we send") \
	X(underlay, "underlay", UNDERLAY, CHECK_SOUND | CHECK_PROBE, "the peer answers nothing at all") \
	X(silent, "silent", GRE, CHECK_SOUND | CHECK_PROBE, "the peer answers ping, and GRE is lost in silence") \
	X(keepalive, "keepalive", GRE, CHECK_SOUND, "the peer does not answer keepalives") \
	X(black_hole, "black-hole", PATH, CHECK_SOUND | CHECK_PROBE, "the path drops large packets without saying so") \
	X(return_mtu, "return-mtu", PATH, CHECK_SOUND | CHECK_PROBE, "the way back carries less than the way there") \
	X(path_mtu, "path-mtu", PATH, CHECK_SOUND | CHECK_PROBE, "the path carries less than the underlay device") \
	X(mtu, "mtu", PATH, CHECK_SOUND, "the file fixes an MTU that does not fit the path") \
	X(pieces, "pieces", PATH, CHECK_SOUND, "outer packets are fragmented") \
	X(overlap, "overlap", INSIDE, CHECK_SOUND, "both ends have the same network") \
	X(allow_route, "allow-route", INSIDE, CHECK_SOUND, "no route leads where an allow line points") \
	X(tunnel_route, "tunnel-route", INSIDE, CHECK_SOUND, "what belongs into the tunnel leaves by another way") \
	X(peer_address, "peer-address", INSIDE, CHECK_SOUND | CHECK_PROBE, "nobody answers on the peer's inner address") \
	X(path_cache, "path-cache", INSIDE, CHECK_SOUND, "a path MTU that the kernel has learnt is too small") \
	X(multicast, "multicast", INSIDE, CHECK_SOUND, "the interface takes no multicast") \
	X(bridge_mtu, "bridge-mtu", INSIDE, CHECK_SOUND, "frames of the bridge do not fit into the tunnel") \
	X(forwarding, "forwarding", HOST, CHECK_SOUND, "this host does not forward") \
	X(rp_filter, "rp-filter", HOST, CHECK_SOUND, "the reverse path filter drops what comes in by the tunnel") \
	X(input_rules, "input-rules", HOST, CHECK_SOUND | CHECK_PROBE, "a rule drops what comes in by the tunnel for this host") \
	X(allow, "allow", HOST, CHECK_SOUND | CHECK_PROBE, "no allow line covers the LAN's packets") \
	X(forward_rules, "forward-rules", HOST, CHECK_SOUND | CHECK_PROBE, "a rule of others drops what this host should forward") \
	X(undone, "undone", HOST, CHECK_PLAIN, "somebody undoes what greteld sets up") \
	X(conntrack_full, "conntrack-full", HOST, CHECK_SOUND, "connection tracking is full") \
	X(masquerade, "masquerade", HOST, CHECK_SOUND | CHECK_PROBE, "addresses are not translated, or by others") \
	X(stale_nat, "stale-nat", HOST, CHECK_SOUND, "connections from before a masquerade line") \
	X(return_path, "return-path", LAN, CHECK_SOUND | CHECK_PROBE, "answers to what comes in by the tunnel take another way") \
	X(peer_route, "peer-route", LAN, CHECK_SOUND | CHECK_PROBE, "the peer has no way back to the LAN here") \
	X(peer_forwarding, "peer-forwarding", LAN, CHECK_SOUND | CHECK_PROBE, "the peer does not forward") \
	X(peer_rules, "peer-rules", LAN, CHECK_SOUND | CHECK_PROBE, "a rule at the peer drops what it should forward") \
	X(far_host, "far-host", LAN, CHECK_SOUND | CHECK_PROBE, "a host behind the peer is gone, or silent") \
	X(networkd, "networkd", HOST, CHECK_PLAIN, "systemd-networkd takes away what it has not made") \
	X(boot, "boot", HOST, CHECK_PLAIN, "greteld is not started with this host") \
	X(state, "state", SITE, CHECK_SYMPTOM, "the daemon says that the tunnel is not in place") \
	X(drops, "drops", INSIDE, CHECK_SOUND | CHECK_SYMPTOM, "packets are being dropped")
/* clang-format on */

struct doctor;
#define DOCTOR_CHECK_DECLARE(id, name, layer, flags, finds) void check_##id(struct doctor *doctor);
DOCTOR_CHECKS(DOCTOR_CHECK_DECLARE)
#undef DOCTOR_CHECK_DECLARE

#endif
