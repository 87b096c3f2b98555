// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop: a GRE tunnel (RFC 2784, four octets, no checksum, no key) written the plainest way, as a
 * yardstick: one packet per system call, one thread for each direction, both of them blocking, so
 * that not even a poll() is added. It checks what it must (source, protocol type, version and
 * flags) and nothing else.
 *
 *   loop TUN LOCAL REMOTE
 *
 * The TUN device is made by this program and is up when "ready" is printed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GRE = 4, PACKET_MAX = 65535, MTU = 1476 };

static int tun, raw;
static struct sockaddr_in peer;

static void die(const char *what)
{
	fprintf(stderr, "loop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_tun(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int control = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	tun = open("/dev/net/tun", O_RDWR);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request))
		die("make the TUN device");
	request.ifr_mtu = MTU;
	if (ioctl(control, SIOCSIFMTU, &request))
		die("set the MTU");
	request.ifr_flags = IFF_UP;
	if (ioctl(control, SIOCSIFFLAGS, &request))
		die("set the device up");
	close(control);
}

static void *encapsulate(void *arg)
{
	static uint8_t packet[GRE + PACKET_MAX];

	(void)arg;
	for (;;) {
		ssize_t length = read(tun, packet + GRE, PACKET_MAX);

		if (length <= 0)
			die("read");
		packet[2] = (packet[GRE] >> 4) == 6 ? 0x86 : 0x08;
		packet[3] = (packet[GRE] >> 4) == 6 ? 0xdd : 0x00;
		/* A full queue loses the packet, as a wire would. */
		(void)!sendto(raw, packet, GRE + (size_t)length, 0, (struct sockaddr *)&peer,
			      sizeof(peer));
	}
	return NULL;
}

static void decapsulate(void)
{
	static uint8_t packet[PACKET_MAX];

	for (;;) {
		ssize_t length = recv(raw, packet, sizeof(packet), 0);
		size_t header = (size_t)(packet[0] & 15) * 4;
		struct iphdr ip;

		if (length < 0)
			die("recv");
		if ((size_t)length <= header + GRE)
			continue;
		memcpy(&ip, packet, sizeof(ip));
		if (ip.saddr != peer.sin_addr.s_addr || packet[header] || packet[header + 1])
			continue;
		(void)!write(tun, packet + header + GRE, (size_t)length - header - GRE);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in local = {.sin_family = AF_INET};
	int size = 4 << 20, discover = IP_PMTUDISC_DONT;
	pthread_t thread;

	peer.sin_family = AF_INET;
	if (argc != 4 || inet_pton(AF_INET, argv[2], &local.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[3], &peer.sin_addr) != 1) {
		fprintf(stderr, "usage: loop TUN LOCAL REMOTE\n");
		return 2;
	}
	raw = socket(AF_INET, SOCK_RAW, IPPROTO_GRE);
	if (raw < 0 || bind(raw, (struct sockaddr *)&local, sizeof(local)))
		die("raw socket");
	setsockopt(raw, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(raw, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	setsockopt(raw, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
	open_tun(argv[1]);
	if (pthread_create(&thread, NULL, encapsulate, NULL))
		die("pthread_create");
	puts("ready");
	fflush(stdout);
	decapsulate();
	return 0;
}
