/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checks.h: all checks, in the order in which they are made. What is below breaks what is above, so
 * of two findings of the same weight the earlier is the cause. A row needs a function
 * check_IDENTIFIER() in a file check_*.c and a row in docs/doctor.md, which a test compares.
 */
#ifndef CTL_DOCTOR_CHECKS_H
#define CTL_DOCTOR_CHECKS_H

/* X(identifier, name shown, layer, flags, what it finds) */
#define DOCTOR_CHECKS(X)                                                                          \
	X(daemon, "daemon", SITE, CHECK_PLAIN,                                                    \
	  "no daemon answers, or it does not serve this namespace")                               \
	X(ends, "ends", SITE, CHECK_PLAIN,                                                        \
	  "an outer address is not known: of a name, or of a device")                             \
	X(local_address, "local-address", UNDERLAY, CHECK_PLAIN,                                  \
	  "the local address is not on this host")                                                \
	X(no_route, "no-route", UNDERLAY, CHECK_PLAIN, "no route leads to the peer")              \
	X(overlap, "overlap", INSIDE, CHECK_SOUND, "both ends have the same network")             \
	X(allow_route, "allow-route", INSIDE, CHECK_SOUND,                                        \
	  "no route leads where an allow line points")                                            \
	X(tunnel_route, "tunnel-route", INSIDE, CHECK_SOUND,                                      \
	  "what belongs into the tunnel leaves by another way")                                   \
	X(peer_address, "peer-address", INSIDE, CHECK_SOUND | CHECK_PROBE,                        \
	  "nobody answers on the peer's inner address")                                           \
	X(path_cache, "path-cache", INSIDE, CHECK_SOUND,                                          \
	  "a path MTU that the kernel has learnt is too small")                                   \
	X(multicast, "multicast", INSIDE, CHECK_SOUND, "the interface takes no multicast")        \
	X(bridge_mtu, "bridge-mtu", INSIDE, CHECK_SOUND,                                          \
	  "frames of the bridge do not fit into the tunnel")                                      \
	X(forwarding, "forwarding", HOST, CHECK_SOUND, "this host does not forward")              \
	X(rp_filter, "rp-filter", HOST, CHECK_SOUND,                                              \
	  "the reverse path filter drops what comes in by the tunnel")                            \
	X(input_rules, "input-rules", HOST, CHECK_SOUND | CHECK_PROBE,                            \
	  "a rule drops what comes in by the tunnel for this host")                               \
	X(allow, "allow", HOST, CHECK_SOUND | CHECK_PROBE,                                        \
	  "no allow line covers the LAN's packets")                                               \
	X(forward_rules, "forward-rules", HOST, CHECK_SOUND | CHECK_PROBE,                        \
	  "a rule of others drops what this host should forward")                                 \
	X(conntrack_full, "conntrack-full", HOST, CHECK_SOUND, "connection tracking is full")     \
	X(masquerade, "masquerade", HOST, CHECK_SOUND | CHECK_PROBE,                              \
	  "addresses are not translated, or by others")                                           \
	X(stale_nat, "stale-nat", HOST, CHECK_SOUND, "connections from before a masquerade line") \
	X(peer_route, "peer-route", LAN, CHECK_SOUND | CHECK_PROBE,                               \
	  "the peer has no way back to the LAN here")                                             \
	X(peer_forwarding, "peer-forwarding", LAN, CHECK_SOUND | CHECK_PROBE,                     \
	  "the peer does not forward")                                                            \
	X(peer_rules, "peer-rules", LAN, CHECK_SOUND | CHECK_PROBE,                               \
	  "a rule at the peer drops what it should forward")                                      \
	X(far_host, "far-host", LAN, CHECK_SOUND | CHECK_PROBE,                                   \
	  "a host behind the peer is gone, or silent")

struct doctor;
#define DOCTOR_CHECK_DECLARE(id, name, layer, flags, finds) void check_##id(struct doctor *doctor);
DOCTOR_CHECKS(DOCTOR_CHECK_DECLARE)
#undef DOCTOR_CHECK_DECLARE

#endif
