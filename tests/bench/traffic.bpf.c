// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * traffic.bpf.c: both ends of a packet-rate measurement.
 *
 * `offer` is run by BPF_PROG_TEST_RUN on live frames. It is called far more often than a packet is
 * wanted and paces itself: a call before the next packet is due ends in XDP_DROP, which costs only
 * the generator's core. So one run of any length offers any rate, and a packet that is due leaves
 * within one batch (64 calls, 2 to 4 us). The kernel recycles frames without restoring them, hence
 * the whole header is written each time.
 *
 * `count_tc` or `count_xdp` sits on the far host's device and takes what the generator has made: at
 * the ingress of traffic control where packets come from sockets or a TUN, which veth would copy
 * before it shows them to XDP; as an XDP program where they come from the kernel or from XDP. When
 * flows are being opened it sends packets back, and `answer_tc` or `answer_xdp` counts them at the
 * generator's host.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "traffic.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u8 header[TRAFFIC_MIX_MAX][TRAFFIC_HEADER];
const volatile __u16 length[TRAFFIC_MIX_MAX];
/* Sums of what does not differ from flow to flow; the payload is zero. */
const volatile __u32 udp_sum[TRAFFIC_MIX_MAX], ip_sum[TRAFFIC_MIX_MAX];
const volatile __u32 mix = 1;
const volatile __u32 ports = 1;	 /* source ports of each group but the last */
const volatile __u32 groups = 1; /* destination ports */
const volatile __u32 last_ports = 1;
const volatile __u32 tunnels = 1;
const volatile __u32 source = 0, destination = 0; /* of the first tunnel; host order */

struct traffic_offer offer_state;
struct traffic_arrival arrival;
volatile enum traffic_answer far_end;

/* More than this behind its timetable, the generator forgets what it owes: no bursts. */
#define FORGET_NS 100000

struct headers {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

/* True when a packet is due now; moves the timetable on. */
static __always_inline int due(struct traffic_offer *o)
{
	__u64 now, ps;

	if (o->offered >= o->limit)
		return 0;
	if (o->gap_ps == 0)
		return 1;
	now = bpf_ktime_get_ns();
	if (o->due_ns == 0)
		o->due_ns = now;
	if (now < o->due_ns)
		return 0;
	if (now - o->due_ns > FORGET_NS) {
		o->fallen_behind_ns += now - o->due_ns;
		o->due_ns = now;
	}
	ps = o->due_ps_rest + o->gap_ps;
	o->due_ns += ps / 1000;
	o->due_ps_rest = ps % 1000;
	return 1;
}

static __always_inline __u16 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static __always_inline __u32 halves(__u32 address)
{
	return (address >> 16) + (address & 0xffff);
}

/* The next flow's addresses and ports, and the checksums that go with them (RFC 1071, 768). */
static __always_inline void write_flow(struct headers *h, struct traffic_offer *o, __u32 which)
{
	__u16 from_port = (__u16)(TRAFFIC_FIRST_PORT + o->port);
	__u16 to_port = (__u16)(TRAFFIC_PORT + o->group);
	__u32 from = source, to = destination, sum;

	if (tunnels > 1 && o->tunnel) {
		from = TRAFFIC_SPREAD + (o->tunnel << 8) + TRAFFIC_NEAR;
		to = TRAFFIC_SPREAD + (o->tunnel << 8) + TRAFFIC_FAR;
	}
	h->ip.saddr = bpf_htonl(from);
	h->ip.daddr = bpf_htonl(to);
	sum = halves(from) + halves(to);
	h->ip.check = bpf_htons((__u16)~folded(ip_sum[which] + sum));
	sum = ~folded(udp_sum[which] + sum + from_port + to_port) & 0xffff;
	h->udp.source = bpf_htons(from_port);
	h->udp.dest = bpf_htons(to_port);
	h->udp.check = bpf_htons((__u16)(sum ? sum : 0xffff));
}

static __always_inline void next_flow(struct traffic_offer *o)
{
	__u32 last = o->group + 1 == groups;

	if (++o->port >= (last ? last_ports : ports)) {
		o->port = 0;
		o->group = last ? 0 : o->group + 1;
	}
	if (tunnels > 1 && ++o->tunnel >= tunnels)
		o->tunnel = 0;
	if (mix > 1 && ++o->length >= mix)
		o->length = 0;
	o->offered++;
}

SEC("xdp")
int offer(struct xdp_md *ctx)
{
	struct traffic_offer *o = &offer_state;
	__u32 which = mix > 1 ? o->length : 0;
	__u8 *data;

	if (!due(o))
		return XDP_DROP;
	which &= TRAFFIC_MIX_MAX - 1; /* for the verifier */
	if (mix > 1) {
		long now = (long)ctx->data_end - (long)ctx->data;

		if (bpf_xdp_adjust_tail(ctx, length[which] - (int)now))
			return XDP_ABORTED;
	}
	data = (void *)(long)ctx->data;
	if (data + TRAFFIC_HEADER > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < TRAFFIC_HEADER; i++)
		data[i] = header[which][i];
	write_flow((struct headers *)data, o, which);
	next_flow(o);
	return XDP_TX;
}

static __always_inline int is_udp(const struct headers *h)
{
	return h->ethernet.h_proto == bpf_htons(ETH_P_IP) && h->ip.ihl == 5 &&
	       h->ip.protocol == IPPROTO_UDP;
}

static __always_inline int of_generator(__be16 port)
{
	return (__u16)(bpf_ntohs(port) - TRAFFIC_PORT) < TRAFFIC_GROUPS;
}

/* The same packet on its way back; no checksum changes by an exchange. */
static __always_inline void turn_round(struct headers *h)
{
	struct headers was = *h;

	__builtin_memcpy(h->ethernet.h_dest, was.ethernet.h_source, ETH_ALEN);
	__builtin_memcpy(h->ethernet.h_source, was.ethernet.h_dest, ETH_ALEN);
	h->ip.saddr = was.ip.daddr;
	h->ip.daddr = was.ip.saddr;
	h->udp.source = was.udp.dest;
	h->udp.dest = was.udp.source;
	__sync_fetch_and_add(&arrival.turned_round, 1);
}

static __always_inline void take(__u64 octets)
{
	if (arrival.first_ns == 0)
		arrival.first_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&arrival.counted, 1);
	__sync_fetch_and_add(&arrival.octets, octets);
}

SEC("tc")
int count_tc(struct __sk_buff *skb)
{
	struct headers h;

	if (bpf_skb_load_bytes(skb, 0, &h, sizeof(h)) || !is_udp(&h) || !of_generator(h.udp.dest))
		return TC_ACT_OK;
	if (far_end == TRAFFIC_TURN_ROUND) {
		turn_round(&h);
		bpf_skb_store_bytes(skb, 0, &h, sizeof(h), 0);
		return (int)bpf_redirect(skb->ifindex, 0);
	}
	take(skb->len);
	return TC_ACT_SHOT;
}

SEC("xdp")
int count_xdp(struct xdp_md *ctx)
{
	struct headers *h = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(h + 1) > end || !is_udp(h) || !of_generator(h->udp.dest))
		return XDP_PASS;
	if (far_end == TRAFFIC_TURN_ROUND) {
		turn_round(h);
		/* Not XDP_TX: veth wakes no receiver by that which has no XDP program. */
		return (int)bpf_redirect(ctx->ingress_ifindex, 0);
	}
	take((__u64)(end - (void *)h));
	return XDP_DROP;
}

SEC("tc")
int answer_tc(struct __sk_buff *skb)
{
	struct headers h;

	if (bpf_skb_load_bytes(skb, 0, &h, sizeof(h)) || !is_udp(&h) || !of_generator(h.udp.source))
		return TC_ACT_OK;
	__sync_fetch_and_add(&arrival.answered, 1);
	return TC_ACT_SHOT;
}

SEC("xdp")
int answer_xdp(struct xdp_md *ctx)
{
	struct headers *h = (void *)(long)ctx->data;

	if ((void *)(h + 1) > (void *)(long)ctx->data_end || !is_udp(h) ||
	    !of_generator(h->udp.source))
		return XDP_PASS;
	__sync_fetch_and_add(&arrival.answered, 1);
	return XDP_DROP;
}
