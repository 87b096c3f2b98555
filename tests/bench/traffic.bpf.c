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
 * `count` sits on the far host's device, at the ingress of its traffic control, and takes what the
 * generator has made. It is no XDP program, because veth copies each packet that a socket or a TUN
 * made before it shows it to XDP, and the kernel's own contenders would be spared that.
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
const volatile __u32 udp_sum[TRAFFIC_MIX_MAX]; /* of all but the source port; the payload is zero */
const volatile __u32 mix = 1;
const volatile __u32 flows = 1;
const volatile __u64 gap_ps = 0; /* picoseconds between packets; 0: as fast as it goes */
const volatile __u32 destination = 0;

/* More than this behind its timetable, the generator forgets what it owes: no bursts. */
#define FORGET_NS 100000

__u64 due_ps_rest, due_ns, offered, fallen_behind_ns;
__u64 counted, counted_octets, first_ns;

/* True when a packet is due now; moves the timetable on. */
static __always_inline int due(void)
{
	__u64 now, ps;

	if (gap_ps == 0)
		return 1;
	now = bpf_ktime_get_ns();
	if (due_ns == 0)
		due_ns = now;
	if (now < due_ns)
		return 0;
	if (now - due_ns > FORGET_NS) {
		fallen_behind_ns += now - due_ns;
		due_ns = now;
	}
	ps = due_ps_rest + gap_ps;
	due_ns += ps / 1000;
	due_ps_rest = ps % 1000;
	return 1;
}

/* The next flow's source port, and the UDP checksum that goes with it (RFC 768). */
static __always_inline void write_flow(__u8 *data, __u32 which)
{
	struct udphdr *udp = (struct udphdr *)(data + ETH_HLEN + sizeof(struct iphdr));
	__u16 port = (__u16)(TRAFFIC_FIRST_SOURCE_PORT + offered % flows);
	__u32 sum = udp_sum[which] + port;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	udp->source = bpf_htons(port);
	udp->check = bpf_htons((__u16)(sum ? sum : 0xffff));
}

SEC("xdp")
int offer(struct xdp_md *ctx)
{
	__u32 which = mix > 1 ? (__u32)(offered % mix) : 0;
	__u8 *data;

	if (!due())
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
	write_flow(data, which);
	offered++;
	return XDP_TX;
}

SEC("tc")
int count(struct __sk_buff *skb)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
	} h;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &h, sizeof(h)))
		return TC_ACT_OK;
	if (skb->protocol != bpf_htons(ETH_P_IP) || h.ip.ihl != 5 || h.ip.protocol != IPPROTO_UDP ||
	    h.ip.daddr != destination || h.udp.dest != bpf_htons(TRAFFIC_PORT))
		return TC_ACT_OK;
	if (first_ns == 0)
		first_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&counted, 1);
	__sync_fetch_and_add(&counted_octets, skb->len);
	return TC_ACT_SHOT;
}
