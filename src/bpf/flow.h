/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow.h: which passengers can be those of a flow, and what is known of the flow. A flow is learned
 * at the place where the kernel's own path has led one of its packets (learn.h), and is nothing but
 * the promise that the next ones, for less than a second, would have been led there, too.
 *
 * What may end or change a connection, or ask for an answer by this host, has no flow: SYN, FIN and
 * RST, fragments, IP options and extension headers, an expiring TTL.
 */
#ifndef BPF_FLOW_H
#define BPF_FLOW_H

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#include "bpf/abi.h"
#include "bpf/maps.h"
#include "proto/ip.h"
#include "proto/kaecho.h"
#include "proto/mss.h"

enum { TCP_FLAG_FIN = 0x01, TCP_FLAG_RST = 0x04, UDP_HEADER_LENGTH = 8, FLOW_HEADERS_MAX = 60 };

/* A passenger that can belong to a flow. */
struct flow_seen {
	uint8_t version; /* 4 or 6 */
	uint8_t protocol;
	uint8_t tos, ttl;
	uint8_t header;	   /* octets of the IP header: 20 or 40 */
	uint8_t l4_header; /* octets of the transport header, options included */
	uint32_t len;	   /* of the whole packet */
};

struct flow_key {
	union {
		struct fast_key4 v4;
		struct fast_key6 v6;
	};
};

PROTO_INLINE void copy4(void *to, const void *from)
{
	*(uint32_t *)to = *(const uint32_t *)from;
}

PROTO_INLINE void copy16(void *to, const void *from)
{
	for (unsigned i = 0; i < 16; i += 4)
		copy4((uint8_t *)to + i, (const uint8_t *)from + i);
}

/* Reads the transport header at l4 into the key's ports and out->l4_header. */
PROTO_INLINE bool flow_read_transport(const uint8_t *l4, const uint8_t *end, uint8_t ports[4],
				      struct flow_seen *out)
{
	if (l4 + UDP_HEADER_LENGTH > end)
		return false;
	out->l4_header = UDP_HEADER_LENGTH;
	copy4(ports, l4);
	switch (out->protocol) {
	case IP_PROTOCOL_TCP:
		if (l4 + TCP_HEADER_LENGTH > end ||
		    l4[13] & (TCP_FLAG_FIN | TCP_FLAG_SYN | TCP_FLAG_RST))
			return false;
		out->l4_header = (uint8_t)((l4[12] >> 4) * 4);
		return out->l4_header >= TCP_HEADER_LENGTH;
	case IP_PROTOCOL_UDP:
		return true;
	case IP_PROTOCOL_ICMP:
		if (out->version != 4 || (l4[0] != ICMP4_ECHO_REQUEST && l4[0] != ICMP4_ECHO_REPLY))
			return false;
		break;
	case IP_PROTOCOL_ICMPV6:
		if (out->version != 6 || (l4[0] != ICMP6_ECHO_REQUEST && l4[0] != ICMP6_ECHO_REPLY))
			return false;
		break;
	default:
		return false;
	}
	if (l4[4] == ECHO_WATCHED_ID >> 8)
		return false;
	ports[0] = ports[2] = l4[4];
	ports[1] = ports[3] = l4[5];
	return true;
}

/* `from` is the index of the device. False when no flow can have this packet; `ttl_min` is the
 * least TTL that it must have. */
PROTO_INLINE bool flow_read4(const uint8_t *p, const uint8_t *end, uint32_t from, uint8_t ttl_min,
			     struct fast_key4 *key, struct flow_seen *out)
{
	if (p + IP4_HEADER_LENGTH + UDP_HEADER_LENGTH > end)
		return false;
	out->version = 4;
	out->header = IP4_HEADER_LENGTH;
	out->tos = p[1];
	out->ttl = p[8];
	out->protocol = p[9];
	out->len = get_be16(p + 2);
	if (p[0] != 0x45 || out->ttl < ttl_min || get_be16(p + 6) & 0x3fff ||
	    !ip4_plain_checksum_good(p))
		return false;
	key->from = from << 8 | out->protocol;
	copy4(key->src, p + 12);
	copy4(key->dst, p + 16);
	return flow_read_transport(p + IP4_HEADER_LENGTH, end, key->ports, out) &&
	       out->len >= (uint32_t)IP4_HEADER_LENGTH + out->l4_header;
}

PROTO_INLINE bool flow_read6(const uint8_t *p, const uint8_t *end, uint32_t from, uint8_t ttl_min,
			     struct fast_key6 *key, struct flow_seen *out)
{
	if (p + IP6_HEADER_LENGTH + UDP_HEADER_LENGTH > end)
		return false;
	out->version = 6;
	out->header = IP6_HEADER_LENGTH;
	out->tos = (uint8_t)(get_be16(p) >> 4);
	out->ttl = p[7];
	out->protocol = p[6];
	out->len = IP6_HEADER_LENGTH + (uint32_t)get_be16(p + 4);
	if (p[0] >> 4 != 6 || out->ttl < ttl_min)
		return false;
	key->from = from << 8 | out->protocol;
	copy16(key->src, p + 8);
	copy16(key->dst, p + 24);
	return flow_read_transport(p + IP6_HEADER_LENGTH, end, key->ports, out) &&
	       out->len >= (uint32_t)IP6_HEADER_LENGTH + out->l4_header;
}

PROTO_INLINE struct fast_hot *hot_get(const struct fast_key4 *key)
{
	uint32_t h = *(const uint32_t *)key->src * 0x9e3779b1u ^
		     *(const uint32_t *)key->dst * 0x85ebca6bu ^
		     *(const uint32_t *)key->ports * 0xc2b2ae35u;
	uint32_t at = bpf_get_smp_processor_id() * hot_size + ((h ^ h >> 16) & (hot_size - 1));

	return bpf_map_lookup_elem(&hot, &at);
}

PROTO_INLINE bool hot_holds(const struct fast_hot *h, const struct fast_key4 *key,
			    const struct fast_control *c, uint64_t now)
{
	const uint64_t *a = (const uint64_t *)&h->key, *b = (const uint64_t *)key;

	return a[0] == b[0] && a[1] == b[1] && now < h->sample_ns &&
	       h->generation == (uint16_t)c->generation;
}

/* Copies the flow to `h`, unless that holds another one that is in use. */
PROTO_INLINE void hot_fill(struct fast_hot *h, const struct fast_key4 *key,
			   const struct fast_flow *flow, uint32_t outer,
			   const struct fast_control *c, uint64_t now)
{
	struct fast_flow *before;

	if (now < h->sample_ns && h->generation == (uint16_t)c->generation)
		return;
	if (h->packets) {
		before = bpf_map_lookup_elem(&flows4, &h->key);
		if (before) {
			before->packets += h->packets;
			before->octets += h->octets;
		}
	}
	h->key = *key;
	h->sample_ns = flow->sample_ns;
	h->generation = (uint16_t)c->generation;
	h->outer = (uint16_t)outer;
	h->packets = h->octets = 0;
	h->action = flow->action;
}

/* Whether greteld hears of each change. */
PROTO_INLINE bool hears_all(const struct fast_control *c, uint64_t now)
{
	return c->watched && now - c->beat_ns < FAST_BEAT_LOST_NS &&
	       now - c->heard_ns < FAST_HEARD_LOST_NS;
}

enum flow_state { FLOW_VOID, FLOW_HOLDS, FLOW_ASK };

/* Whether what is known of the flow may be used at `now`, or conntrack has to be asked. When the
 * time for that has come it may not, and the packet at hand renews it on its way. */
PROTO_INLINE enum flow_state flow_state(struct fast_flow *flow, const struct fast_control *c,
					uint64_t now)
{
	uint64_t age = now - flow->seen_ns,
		 limit = hears_all(c, now) ? FAST_WATCHED_NS : FAST_SAMPLE_NS;

	if (flow->generation != c->generation || age >= limit + FAST_GRACE_NS)
		return FLOW_VOID;
	if (now < flow->sample_ns)
		return FLOW_HOLDS;
	if (age < limit)
		return FLOW_ASK;
	flow->sample_ns = now + FAST_RETRY_NS;
	return FLOW_VOID;
}

/* Whether the way of the outer packets may be relied on. Without greteld nobody can renew it, and
 * what it said last holds on. */
PROTO_INLINE bool path_holds(const struct fast_path *path, const struct fast_control *c,
			     uint64_t now)
{
	int64_t age = (int64_t)(now - path->sent_ns); /* the clock may be a tick behind */

	if (!path->ifindex)
		return false;
	if (age < (int64_t)FAST_LEASE_NS)
		return true;
	if (age < (int64_t)c->lease_ns && path->generation == (uint16_t)c->generation &&
	    hears_all(c, now))
		return true;
	return now - c->beat_ns > FAST_BEAT_LOST_NS && now - c->beat_ns < FAST_BEAT_STALE_NS;
}

/* IPv4 identification: all packets that may be fragmented have different ones; of the others it
 * does not matter if several CPUs take the same. */
PROTO_INLINE uint16_t next_id(struct fast_control *c, struct fast_tunnel *t, bool df)
{
	return (uint16_t)(df ? t->ip_id++ : __sync_fetch_and_add(&c->ip_id, 1));
}

PROTO_INLINE void tunnel_used(struct fast_tunnel *tunnel, uint64_t now)
{
	if (now - tunnel->used_ns > FAST_USED_NS)
		tunnel->used_ns = now;
}

/* What the transport header adds to every packet that a super-packet stands for. */
struct flow_pieces {
	uint32_t count, octets;
};

PROTO_INLINE struct flow_pieces flow_pieces(uint32_t len, uint32_t headers, uint32_t gso_size)
{
	struct flow_pieces out = {1, len};

	if (gso_size && len > headers + gso_size) {
		out.count = (len - headers + gso_size - 1) / gso_size;
		out.octets = len + (out.count - 1) * headers;
	}
	return out;
}

#endif
