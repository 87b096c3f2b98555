/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drop.h: why a packet was not carried. One list for every lane; `gretel status`, the manual page
 * and the tests read the same table. "rx" reasons concern packets from the underlay, "tx" reasons
 * packets that the host gave to the tunnel.
 */
#ifndef PROTO_DROP_H
#define PROTO_DROP_H

/* X(identifier, name shown, what happened) */
#define DROP_REASONS(X)                                                                          \
	X(RX_OUTER_MALFORMED, "rx-outer-malformed",                                              \
	  "outer IP header is truncated or inconsistent")                                        \
	X(RX_UDP_LENGTH, "rx-udp-length", "UDP length does not fit the packet (RFC 768)")        \
	X(RX_GUE, "rx-gue", "GUE header has flags, fields or a variant that are not known here") \
	X(RX_TRUNCATED, "rx-truncated", "packet ends inside the GRE header")                     \
	X(RX_VERSION, "rx-version", "GRE version is not 0 (RFC 2784 2.3.1)")                     \
	X(RX_ROUTING, "rx-routing", "routing present, the form of RFC 1701")                     \
	X(RX_RESERVED, "rx-reserved",                                                            \
	  "a reserved flag bit that must be zero is set (RFC 2784 2.3)")                         \
	X(RX_STARTING, "rx-starting",                                                            \
	  "no tunnel takes the packet yet, since greteld has just started")                      \
	X(RX_SOURCE, "rx-source", "no tunnel has this pair of outer addresses")                  \
	X(RX_BIND, "rx-bind", "packet came in by another device than its tunnel is bound to")    \
	X(RX_UDP_MISSING, "rx-udp-missing", "packet is plain GRE, the tunnel is in UDP")         \
	X(RX_UDP_UNEXPECTED, "rx-udp-unexpected",                                                \
	  "packet is GRE in UDP, the tunnel is plain or has another port")                       \
	X(RX_KEY_MISSING, "rx-key-missing", "packet has no key, the tunnel has one")             \
	X(RX_KEY_UNEXPECTED, "rx-key-unexpected", "packet has a key, the tunnel has none")       \
	X(RX_KEY_WRONG, "rx-key-wrong", "packet has another key than the tunnel")                \
	X(RX_UNPROVED, "rx-unproved",                                                            \
	  "sender is not where the peer behind its NAT has proved to be; it is asked")           \
	X(RX_PROOF_FORGED, "rx-proof-forged",                                                    \
	  "proof or question of a tunnel through a NAT without its secret")                      \
	X(RX_PROOF_STALE, "rx-proof-stale",                                                      \
	  "proof is repeated, late, or of a question to another address or port")                \
	X(RX_UDP_CHECKSUM, "rx-udp-checksum", "UDP checksum is wrong")                           \
	X(RX_UDP_CHECKSUM_MISSING, "rx-udp-checksum-missing",                                    \
	  "no UDP checksum over IPv6, and the file does not allow that (RFC 6936)")              \
	X(RX_GUE_MISSING, "rx-gue-missing",                                                      \
	  "packet is GRE in UDP, the tunnel has a GUE header between them")                      \
	X(RX_GUE_UNEXPECTED, "rx-gue-unexpected",                                                \
	  "packet has a GUE header before GRE, the tunnel has none")                             \
	X(RX_SESSION, "rx-session", "packet is of an ERSPAN session or type without a tunnel")   \
	X(RX_ERSPAN, "rx-erspan", "ERSPAN header is truncated, or of no Ethernet frame")         \
	X(RX_VLAN, "rx-vlan", "frame of NVGRE has a VLAN tag (RFC 7637 3.3)")                    \
	X(RX_CHECKSUM, "rx-checksum", "GRE checksum is wrong")                                   \
	X(RX_CHECKSUM_MISSING, "rx-checksum-missing", "GRE checksum is required but absent")     \
	X(RX_SEQUENCE, "rx-sequence", "sequence number is old or repeated (RFC 2890 2.2)")       \
	X(RX_SEQUENCE_MISSING, "rx-sequence-missing", "sequence number is required but absent")  \
	X(RX_PROTOCOL, "rx-protocol", "protocol type is not one that the tunnel carries")        \
	X(RX_INNER_MALFORMED, "rx-inner-malformed",                                              \
	  "passenger is empty, truncated or inconsistent")                                       \
	X(RX_LOOP, "rx-loop", "passenger is addressed to the encapsulator (RFC 2784 3.1)")       \
	X(RX_NESTED, "rx-nested",                                                                \
	  "passenger holds this same tunnel once more, or more than four others")                \
	X(RX_KEEPALIVE_UNASKED, "rx-keepalive-unasked", "answer to no open keepalive")           \
	X(RX_KEEPALIVE_FORGED, "rx-keepalive-forged", "answer without our signature")            \
	X(RX_KEEPALIVE_STALE, "rx-keepalive-stale", "answer to a question of over 10 seconds")   \
	X(RX_KEEPALIVE_LIMIT, "rx-keepalive-limit", "more keepalives than 100 a second")         \
	X(RX_PROBE_LIMIT, "rx-probe-limit", "more echo replies to return than 2000 a second")    \
	X(RX_PROBE, "rx-probe", "answer to a probe of gretel doctor, which has read it")         \
	X(RX_ECN, "rx-ecn", "congestion was marked on a passenger without ECN (RFC 6040 4.2)")   \
	X(RX_MERGED, "rx-merged", "packets that the device had merged, sizes not known yet")     \
	X(RX_DEVICE, "rx-device", "the tunnel interface did not take the packet (is it down?)")  \
	X(TX_INNER_MALFORMED, "tx-inner-malformed", "passenger is truncated or inconsistent")    \
	X(TX_PROTOCOL, "tx-protocol", "protocol type is not one that the tunnel carries")        \
	X(TX_NO_PEER, "tx-no-peer", "the address of the peer, or ours, is not known yet")        \
	X(TX_NO_NEXT_HOP, "tx-no-next-hop", "the next hop is no peer of the multipoint tunnel")  \
	X(TX_LOOP, "tx-loop", "passenger is itself one of the tunnel's outer packets")           \
	X(TX_VLAN, "tx-vlan", "frame has a VLAN tag, which NVGRE must not carry (RFC 7637 3.3)") \
	X(TX_ENCAP_LIMIT, "tx-encap-limit",                                                      \
	  "passenger may not be put into one more tunnel (RFC 2473 4.1.1)")                      \
	X(TX_TOO_BIG, "tx-too-big", "passenger exceeds the path MTU and may not be fragmented")  \
	X(TX_NO_ROUTE, "tx-no-route", "no route to the remote address")                          \
	X(TX_DENIED, "tx-denied", "a firewall rule of this host refused the outer packet")       \
	X(TX_QUEUE, "tx-queue", "the underlay's send queue is full")                             \
	X(TX_ERROR, "tx-error", "the underlay refused the outer packet")

enum drop_reason {
	DROP_NONE = 0, /* the packet is carried */
#define DROP_ENUM(id, name, text) DROP_##id,
	DROP_REASONS(DROP_ENUM)
#undef DROP_ENUM
		DROP_REASON_COUNT
};

/* The name shown ("rx-key-wrong") and what happened, from the table above; never NULL. */
const char *drop_name(enum drop_reason reason);
const char *drop_text(enum drop_reason reason);

#endif
