/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/udphold.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/addr.h"

static int hold(int fd, uint8_t family, uint16_t port)
{
	struct sock_filter none[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog filter = {.len = 1, .filter = none};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is6 = family == IP_V6;
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0)
		return -errno;
	if (is6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return -errno;
	if (bind(fd, is6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		 is6 ? sizeof v6 : sizeof v4) < 0)
		return -errno;
	return 0;
}

bool udp_receives_at(const struct udp_ports *ports, uint16_t port)
{
	for (unsigned i = 0; i < ports->count; i++)
		if (ports->ports[i] == port)
			return true;
	return false;
}

int udp_hold(uint8_t family, uint16_t port)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	int err;

	if (fd < 0)
		return -errno;
	err = hold(fd, family, port);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}
