/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/gue.h"

#define SEND_BUFFER    (4 << 20)
#define ARRIVAL_BUFFER (4 << 20)
/* Outer header, the shortest GRE and transport headers, two octets. */
#define ARRIVAL_SIZE_MIN 54
/* Link header, outer header with options, and the key. */
#define ARRIVAL_SNAP  256
#define ARRIVAL_BATCH 64

struct sockaddr_ll packet_address(uint8_t family, uint32_t ifindex, const uint8_t mac[6])
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(family == IP_V4 ? ETH_P_IP : ETH_P_IPV6),
				 .sll_ifindex = (int)ifindex,
				 .sll_halen = ETH_ALEN};

	memcpy(to.sll_addr, mac, ETH_ALEN);
	return to;
}

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof value) < 0 ? -errno : 0;
}

int packet_open_sender(uint32_t mark)
{
	/* Protocol 0: nothing is received. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = set(fd, SO_MARK, (int)mark);
	if (err) {
		close(fd);
		return err;
	}
	if (set(fd, SO_SNDBUFFORCE, SEND_BUFFER))
		set(fd, SO_SNDBUF, SEND_BUFFER);
	return fd;
}

/* Outgoing, on an Ethernet, without the mark, and GRE in IPv4 or IPv6. What has a VLAN tag was seen
 * before it got one, on the device that puts it on. */
static int attach_tap_filter(int fd, uint32_t mark)
{
#define AD(what) ((uint32_t)(SKF_AD_OFF + (what)))
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AD(SKF_AD_MARK)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark, 13, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AD(SKF_AD_VLAN_TAG_PRESENT)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 11),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AD(SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 9),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AD(SKF_AD_HATYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_ETHER, 0, 7),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 9),
		BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_GRE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
#undef AD
	struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno
											: 0;
}

int packet_open_tap(uint32_t mark)
{
	struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = attach_tap_filter(fd, mark);
	if (!err && bind(fd, (struct sockaddr *)&all, sizeof all) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int packet_next(int fd, struct packet_seen *out)
{
	struct sockaddr_ll from;
	struct ethhdr ethernet;
	struct iovec parts[2] = {{&ethernet, sizeof ethernet}, {out->octets, sizeof out->octets}};
	struct msghdr message = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = parts, .msg_iovlen = 2};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if ((size_t)n < sizeof ethernet)
		return -EIO;
	out->ifindex = (uint32_t)from.sll_ifindex;
	out->len = (uint32_t)((size_t)n - sizeof ethernet);
	memcpy(out->mac, ethernet.h_dest, sizeof out->mac);
	return 1;
}

/* The last instructions but two: takes the ports, one each; the port is in the accumulator. */
static void match_ports(struct sock_filter code[UDP_PORTS_MAX], const struct udp_ports *udp)
{
	for (uint8_t i = 0; i < UDP_PORTS_MAX; i++)
		code[i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						       i < udp->count ? udp->ports[i] : UINT32_MAX,
						       UDP_PORTS_MAX - i, 0);
}

/* GRE behind the outer header, or, as Linux sends over IPv6, behind one of destination options; or
 * behind a UDP header that names one of the ports. */
int packet_match_arrivals(int fd, const struct udp_ports *udp)
{
#define AD(what) ((uint32_t)(SKF_AD_OFF + (what)))
#define NET(at)	 ((uint32_t)(SKF_NET_OFF + (at)))
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ARRIVAL_SIZE_MIN, 0, 13 + UDP_PORTS_MAX),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AD(SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 3),
		BPF_STMT(BPF_LDX | BPF_IMM, 20),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NET(9)),
		BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 7 + UDP_PORTS_MAX),
		BPF_STMT(BPF_LDX | BPF_IMM, 40),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NET(6)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_DSTOPTS, 0, 1),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NET(40)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_GRE, 3 + UDP_PORTS_MAX, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1 + UDP_PORTS_MAX),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, NET(2)),
		[15 + UDP_PORTS_MAX] = BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ARRIVAL_SNAP),
	};
#undef NET
#undef AD
	match_ports(code + 15, udp);
	struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno
											: 0;
}

static int set_packet(int fd, int option)
{
	int on = 1;

	return setsockopt(fd, SOL_PACKET, option, &on, sizeof on) < 0 ? -errno : 0;
}

int packet_open_arrivals(const struct udp_ports *udp)
{
	/* All protocols: those sockets come before the protocols' own receivers. */
	struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = packet_match_arrivals(fd, udp);
	if (!err)
		err = set_packet(fd, PACKET_VNET_HDR);
	if (!err)
		err = set_packet(fd, PACKET_AUXDATA);
	if (!err)
		err = set_packet(fd, PACKET_IGNORE_OUTGOING);
	if (!err && bind(fd, (struct sockaddr *)&all, sizeof all) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	if (set(fd, SO_RCVBUFFORCE, ARRIVAL_BUFFER))
		set(fd, SO_RCVBUF, ARRIVAL_BUFFER);
	return fd;
}

/* What recvmmsg() fills for one packet. */
struct arrival_slot {
	struct virtio_net_hdr vnet;
	uint8_t octets[ARRIVAL_SNAP];
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec parts[2];
};

/* Offset of the IP header in what was read; -1 when the kernel did not say. */
static int network_offset(struct msghdr *message)
{
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
			memcpy(&aux, CMSG_DATA(c), sizeof aux);
			return aux.tp_net;
		}
	return -1;
}

void packet_arrival_key(uint8_t key[ARRIVAL_KEY_SIZE], const uint8_t *gre, uint32_t len)
{
	uint32_t n = len < ARRIVAL_KEY_SIZE ? len : ARRIVAL_KEY_SIZE;

	memcpy(key, gre, n);
	memset(key + n, 0, ARRIVAL_KEY_SIZE - n);
}

/* Lengths of the outer header and of the whole packet, by what the header says. At least 48 octets
 * of it are there. Returns whether there is a UDP header, which *header then counts, too. */
static bool outer_lengths(const uint8_t *ip, uint32_t *header, uint32_t *whole)
{
	bool options = ip[6] == IPPROTO_DSTOPTS;
	uint8_t protocol;

	if (ip[0] >> 4 == 4) {
		protocol = ip[9];
		*header = (ip[0] & 0x0fu) * 4;
		*whole = (uint32_t)(ip[2] << 8 | ip[3]);
	} else {
		protocol = options ? ip[40] : ip[6];
		*header = 40 + (options ? (ip[41] + 1u) * 8 : 0);
		*whole = 40 + (uint32_t)(ip[4] << 8 | ip[5]);
	}
	if (protocol == IPPROTO_UDP)
		*header += UDP_HEADER_LENGTH;
	return protocol == IPPROTO_UDP;
}

static bool keep_arrival(struct arrival_slot *slot, struct mmsghdr *message,
			 struct packet_arrival *out)
{
	int at = network_offset(&message->msg_hdr);
	const uint8_t *ip = slot->octets + at;
	uint32_t header, whole, there;
	bool udp;

	if (slot->vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE &&
	    !(slot->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return false;
	if (at < 0 || message->msg_len < sizeof slot->vnet + (unsigned)at + 48)
		return false;
	there = message->msg_len - (uint32_t)sizeof slot->vnet - (uint32_t)at;
	udp = outer_lengths(ip, &header, &whole);
	if (whole < there)
		there = whole; /* the rest is the link's padding */
	if (udp && there > header && gue_is_gre(ip + header, ip + there))
		header += GUE_LENGTH;
	if (there <= header)
		return false;
	out->vnet = slot->vnet;
	packet_arrival_key(out->key, ip + header, there - header);
	return true;
}

unsigned packet_arrivals(int fd, struct packet_arrival *out, unsigned max, bool *more)
{
	struct arrival_slot slots[ARRIVAL_BATCH];
	struct mmsghdr messages[ARRIVAL_BATCH];
	unsigned wanted = max < ARRIVAL_BATCH ? max : ARRIVAL_BATCH, kept = 0;
	int n;

	for (unsigned i = 0; i < wanted; i++) {
		struct arrival_slot *slot = &slots[i];
		slot->parts[0] = (struct iovec){&slot->vnet, sizeof slot->vnet};
		slot->parts[1] = (struct iovec){slot->octets, sizeof slot->octets};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = slot->parts,
						      .msg_iovlen = 2,
						      .msg_control = slot->control,
						      .msg_controllen = sizeof slot->control};
	}
	n = recvmmsg(fd, messages, wanted, MSG_DONTWAIT, NULL);
	*more = n == (int)wanted;
	for (int i = 0; i < n; i++)
		kept += keep_arrival(&slots[i], &messages[i], &out[kept]);
	return kept;
}
