/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dp.h: the user lane as the control plane sees it. Workers are threads; every call here is made by
 * the main thread and returns when all workers have taken the change. A tunnel that a call does not
 * name loses no packet.
 */
#ifndef DP_DP_H
#define DP_DP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"
#include "proto/drop.h"
#include "proto/form.h"
#include "proto/kaform.h"
#include "proto/keepalive.h"
#include "proto/siphash.h"

struct dp;

/* What is to carry a tunnel: the fastest that can, or the one that the file names. */
enum dp_lane { DP_LANE_AUTO, DP_LANE_USER, DP_LANE_TC, DP_LANE_XDP };

/* Room for a tunnel's name: that of its interface, or what the peer of a multipoint tunnel is
 * called. */
#define DP_NAME_SIZE 64

/* Devices of a VRF that a tunnel can be bound to. */
enum { DP_BIND_MEMBERS = 16 };

/* What the packet paths know of a tunnel. */
struct dp_params {
	char name[DP_NAME_SIZE];
	/* Its interface is shared by peers, each of which is a tunnel with this one's name as
	 * `hub`. It has no remote, and as long as there is no peer carries nothing. */
	bool multipoint;
	char hub[IFNAMSIZ]; /* "": it has an interface of its own */
	uint8_t form;	    /* enum gre_form; of all but FORM_IP the interface is a TAP */
	/* IP_NONE: not known yet; without `remote` nothing is carried, and the interface has no
	 * carrier. With `local` alone a peer that is to be learned is heard. */
	struct ip_addr local, remote;
	struct ip_addr peer4,
		peer6;	       /* the peer's addresses inside the tunnel; IP_NONE: not known */
	uint32_t bind_ifindex; /* underlay device; 0: whatever the route says */
	/* Where bind_ifindex is a VRF: the devices in it, by which packets come in; then zeros. */
	uint32_t bind_members[DP_BIND_MEMBERS];
	uint32_t fwmark; /* of outer packets; 0: none */
	/* Host order. Of FORM_NVGRE the key with FlowID 0; of an ERSPAN session there is none, and
	 * ikey is the session ID, by which its packets are found. */
	bool has_ikey, has_okey;
	uint32_t ikey, okey;
	/* What else we write into ERSPAN headers (erspan.h). */
	uint32_t erspan_index;
	uint8_t erspan_hardware;
	bool erspan_egress;
	bool csum_send, csum_require;
	bool seq_send, seq_receive;
	uint16_t udp_port; /* GRE in UDP to this port (RFC 8086); 0: directly in IP */
	bool gue;	   /* a GUE header between UDP and GRE (gue.h) */
	bool udp_checksum; /* sent, and over IPv6 asked for */
	/* In UDP: the port that the peer is sent to, udp_port but of one that was learned. */
	uint16_t remote_port;
	/* One of the ends is behind a NAT (roam.h): packets have one source port, udp_port, and the
	 * peer's questions are answered. nat_any: it is the peer, and `remote` learned. */
	bool nat, nat_any;
	struct siphash_key nat_secret;
	uint64_t nat_digest; /* of all that the peer has to know; the caller's own */
	bool ttl_inherit, tos_inherit, ecn;
	uint8_t ttl, tos;
	uint8_t df;	     /* enum conf_df */
	uint8_t lane;	     /* enum dp_lane */
	bool stateless;	     /* its flows need no connection to be carried by the flow lanes */
	uint32_t path_mtu;   /* largest outer packet, octets */
	uint32_t mtu;	     /* of the interface, octets */
	uint16_t mss4, mss6; /* clamp SYN to at most this, per passenger family; 0: leave alone */
	uint32_t keepalive_interval_ms; /* 0: the peer is not asked */
	uint8_t keepalive_retries;	/* 1 to 255 */
	uint8_t keepalive_form;		/* enum keepalive_form */
	bool keepalive_hold, keepalive_nat;
	bool echo_return; /* echo replies that probe the tunnel go back into it */
	/* Addresses of this end inside the tunnel: those that belong to peer4 and peer6 where these
	 * are known; IP_NONE: there is none. */
	struct ip_addr near4, near6;
	/* Asked by ICMP instead, and from which of our addresses; IP_NONE: the keepalive asks. */
	struct ip_addr probe, probe_from;
};

/* Sums over all workers. */
struct dp_counters {
	uint64_t rx_packets,
		rx_bytes; /* passengers delivered to the interface, octets of the passenger */
	uint64_t tx_packets, tx_bytes; /* passengers sent to the underlay */
	uint64_t drops[DROP_REASON_COUNT];
	uint64_t last_rx_ns;  /* CLOCK_MONOTONIC of the last good packet from the peer; 0: never */
	uint64_t last_rx_gre; /* its flags and protocol type: the first four octets of its GRE
				 header */
	uint64_t rx_restarts; /* times the peer's sequence numbers began anew */
	uint64_t keepalives_sent, keepalives_received; /* questions; answers to them */
	uint64_t keepalives_reflected;		       /* questions of the peer, sent back */
	uint64_t probes_returned;		       /* echo replies, sent back into the tunnel */
	uint64_t tx_cut; /* ERSPAN: of the passengers sent, those that were cut to fit */
};

/* What the kernel told about an underlay path; called on the main thread. */
struct dp_event {
	enum { DP_EVENT_PATH_MTU, DP_EVENT_TUN_GONE, DP_EVENT_VERDICT, DP_EVENT_PROVED } kind;
	/* PATH_MTU: the peer whose path changed; look the route up again. PROVED: where the peer of
	 * this tunnel is, with the port; it is sent there after a dp_tunnel_change() */
	struct ip_addr remote;
	uint16_t port;
	uint64_t nat_digest; /* PROVED: of what it knows, since that may have changed meanwhile */
	/* TUN_GONE: somebody deleted this interface; VERDICT: the keepalive of this one has come to
	 * another verdict (dp_tunnel_keepalive), and the interface's carrier says so */
	char name[DP_NAME_SIZE];
	bool carrier; /* VERDICT */
	int error;    /* VERDICT: 0, or -errno why the carrier could not be set */
};
typedef void (*dp_event_fn)(void *arg, const struct dp_event *event);

struct uv_loop_s;
struct bpf;
struct fast;

/* Opens the raw sockets and starts `workers` threads (0: one per CPU that this process may use).
 * Returns 0 or -errno. */
int dp_start(struct uv_loop_s *loop, unsigned workers, dp_event_fn on_event, void *arg,
	     struct dp **out);
/* They are going to be there: new interfaces are made ready for them. */
void dp_expect_fast(struct dp *dp, bool expected);
/* From now on the programs in the kernel carry what they can; `bpf` stays the caller's. Tunnels
 * that are there already lose no packet. 0 or -errno. */
int dp_start_fast(struct dp *dp, struct bpf *bpf);
/* Stops the threads and closes everything; the TUN devices stay, they are persistent, and with
 * `keep` so do the kernel lanes. */
void dp_stop(struct dp *dp, bool keep);
/* The kernel lanes; NULL: there are none. */
struct fast *dp_fast(const struct dp *dp);
unsigned dp_workers(const struct dp *dp);

/* Creates the persistent TUN/TAP device `name`, or adopts it when it exists, and attaches one queue
 * to each worker; then carries packets as `params` say. -EEXIST when the dp has it already, -EINVAL
 * when a device of that name is not a TUN of the right kind, -errno else. */
int dp_tunnel_add(struct dp *dp, const struct dp_params *params);
/* New parameters for a tunnel that dp has; sequence state and counters go on. -ENOENT if unknown.
 */
int dp_tunnel_change(struct dp *dp, const struct dp_params *params);
/* Detaches and, with `destroy`, removes the device. -ENOENT if unknown. */
int dp_tunnel_del(struct dp *dp, const char *name, bool destroy);
/* All tunnels that there are to be have been added: what belongs to none is somebody's mistake from
 * now on, who is told. */
void dp_settle(struct dp *dp);
bool dp_tunnel_known(const struct dp *dp, const char *name);

/* Packets go through the kernel's whole output path again until it has shown once more what it does
 * with them (lease.h). To be called when rules, routes, neighbours, addresses or links have
 * changed. */
void dp_leases_revoke(struct dp *dp);

/* What the keepalive has found of a peer. */
struct dp_keepalive {
	enum keepalive_state state;
	uint32_t unanswered;	    /* questions since the last answer */
	uint64_t since_ns;	    /* CLOCK_MONOTONIC of the first of them; 0: there is none */
	uint32_t rtt_us, jitter_us; /* smoothed, see kameter.h; 0: nothing measured */
	uint32_t loss_permille;	    /* of the last KAMETER_WINDOW questions */
	uint32_t held;		    /* HOLD: answers that are still wanted */
	uint8_t form;		    /* enum keepalive_form of what is asked now */
	bool icmp;		    /* echo requests are asked instead */
};

/* Of a multipoint tunnel: that of the peer that fares best. -ENOENT if unknown. */
int dp_tunnel_keepalive(const struct dp *dp, const char *name, struct dp_keepalive *out);
/* A kind of packets from the underlay that were not taken (stray.h). Times are CLOCK_MONOTONIC. */
struct dp_stray {
	struct ip_addr local, remote; /* its destination and source */
	uint16_t flags, protocol;     /* the first four octets of its GRE header; 0: too short */
	bool has_key;
	uint32_t key;
	uint16_t udp_port; /* to which it came in UDP; 0: directly in IP */
	bool gue;	   /* in UDP with a GUE header */
	enum drop_reason reason;
	uint64_t packets, first_ns, last_ns;
	uint64_t answered_ns; /* when the last ICMP error was sent about it; 0: never */
};

/* An ICMP error that came back about our outer packets. */
struct dp_refusal {
	struct ip_addr remote; /* where they went */
	struct ip_addr from;   /* who complained */
	uint8_t type, code;
	uint64_t packets, last_ns;
};

/* What the workers remember; at most `max`, the number is returned. */
unsigned dp_strays(const struct dp *dp, struct dp_stray *out, unsigned max);
unsigned dp_refusals(const struct dp *dp, struct dp_refusal *out, unsigned max);
/* ICMP errors sent about packets for which there is no tunnel. */
uint64_t dp_stray_answers(const struct dp *dp);

/* The device that its outer packets leave by, as the kernel's routes say; 0: none. */
int dp_tunnel_way(struct dp *dp, const char *name, uint32_t ifindex);
/* Which lane carries the tunnel, an enum fast_lane (fast.h), and why no faster one does, "" where
 * there is none. -ENOENT if unknown. */
int dp_tunnel_lane(const struct dp *dp, const char *name, char *why, unsigned size);
/* A next hop of a multipoint tunnel that is the address of no peer. */
struct dp_unresolved {
	struct ip_addr next_hop;
	uint64_t asked;	  /* how often the kernel has asked for it; it keeps asking for a while */
	uint64_t last_ns; /* CLOCK_MONOTONIC */
};
#define DP_UNRESOLVED_MAX 8
/* What the workers remember, the same next hop once; at most `max`, the number is returned. */
unsigned dp_tunnel_unresolved(const struct dp *dp, const char *name, struct dp_unresolved *out,
			      unsigned max);
/* Of a multipoint tunnel: with those of its peers. -ENOENT if unknown. */
int dp_tunnel_counters(const struct dp *dp, const char *name, struct dp_counters *out);
/* Packets that could be given to no tunnel (rx-source, rx-key-*, malformed). */
void dp_stray_counters(const struct dp *dp, uint64_t drops[DROP_REASON_COUNT]);

#endif
