/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/sample.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SNAP 64

int sample_open(uint32_t ifindex)
{
	struct sockaddr_ll device = {.sll_family = AF_PACKET,
				     .sll_protocol = htons(ETH_P_ALL),
				     .sll_ifindex = (int)ifindex};
	/* Protocol 0: nothing is received before the socket is bound to its device. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&device, sizeof(device)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int read_addresses(const uint8_t *packet, size_t len, struct ip_addr *from,
			  struct ip_addr *to)
{
	bool v6 = len >= 40 && packet[0] >> 4 == 6;

	if (!v6 && (len < 20 || packet[0] >> 4 != 4))
		return 0;
	*from = *to = (struct ip_addr){.family = v6 ? IP_V6 : IP_V4};
	memcpy(from->bytes, packet + (v6 ? 8 : 12), addr_size(from->family));
	memcpy(to->bytes, packet + (v6 ? 24 : 16), addr_size(to->family));
	return 1;
}

int sample_next(int fd, int timeout_ms, struct ip_addr *from, struct ip_addr *to)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint8_t packet[SNAP];

	for (;;) {
		if (poll(&ready, 1, timeout_ms) <= 0)
			return 0;
		ssize_t len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (read_addresses(packet, (size_t)len, from, to))
			return 1;
	}
}
