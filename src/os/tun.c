/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Debian 12's headers are older than these (Linux 6.2). */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static int set_offloads(int fd, bool *uso)
{
	unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	*uso = ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
	if (*uso)
		return 0;
	return ioctl(fd, TUNSETOFFLOAD, tcp) == 0 ? 0 : -errno;
}

static int configure(int fd, const char *name, bool ethernet, bool *uso)
{
	struct ifreq request = {.ifr_flags = (short)((ethernet ? IFF_TAP : IFF_TUN) | IFF_VNET_HDR |
						     IFF_MULTI_QUEUE)};
	int header = sizeof(struct virtio_net_hdr);
	int err;

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return -errno;
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return -errno;
	err = set_offloads(fd, uso);
	if (err)
		return err;
	return ioctl(fd, TUNSETPERSIST, 1) < 0 ? -errno : 0;
}

int tun_attach(const char *name, bool ethernet, bool *uso)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = configure(fd, name, ethernet, uso);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

void tun_address(int fd, uint8_t mac[6])
{
	struct ifreq request = {0};

	(void)ioctl(fd, SIOCGIFHWADDR, &request);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
}

int tun_queue_enable(int fd, bool enable)
{
	struct ifreq request = {.ifr_flags = enable ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

	return ioctl(fd, TUNSETQUEUE, &request) < 0 ? -errno : 0;
}

/*
 * The kernel tells its routing and everybody else of carriers once a second at most. Who asks for
 * the state gets the truth, for which the kernel has to tell at once. That it fails does no harm.
 */
static void publish_carrier(int fd)
{
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq request = {0};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return;
	if (ioctl(fd, TUNGETIFF, &request) == 0) {
		request.ifr_data = (char *)&link;
		(void)ioctl(sock, SIOCETHTOOL, &request);
	}
	close(sock);
}

int tun_set_carrier(int fd, bool on)
{
	int carrier = on;

	if (ioctl(fd, TUNSETCARRIER, &carrier) < 0)
		return -errno;
	publish_carrier(fd);
	return 0;
}

int tun_forget(int fd)
{
	return ioctl(fd, TUNSETPERSIST, 0) < 0 ? -errno : 0;
}
