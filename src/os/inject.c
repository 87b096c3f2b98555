/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/inject.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/bytes.h"

/* r0 = bpf_clone_redirect(packet, ifindex, BPF_F_INGRESS); the result is the program's. */
static int load(uint32_t ifindex)
{
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = (int)ifindex},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = BPF_F_INGRESS},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_clone_redirect},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = sizeof(code) / sizeof(code[0]);
	attr.license = (uintptr_t) "GPL";
	long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd < 0 ? -errno : (int)fd;
}

/* To the device's own address, or the packet would be somebody else's; a device without link
 * header (TUN) strips it. */
static int put_header(const char *device, uint8_t *frame, uint8_t version)
{
	struct ifreq request = {.ifr_ifindex = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		err = -errno;
	else
		memcpy(frame, request.ifr_hwaddr.sa_data, ETH_ALEN);
	close(fd);
	frame[ETH_ALEN] = 2; /* from a locally administered address: nobody's */
	put_be16(frame + 12, version == 6 ? ETH_P_IPV6 : ETH_P_IP);
	return err;
}

static int run(int program, const uint8_t *frame, size_t len)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uintptr_t)frame;
	attr.test.data_size_in = (uint32_t)len;
	attr.test.repeat = 1;
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)) < 0)
		return -errno;
	if ((int)attr.test.retval < 0)
		return (int)attr.test.retval;
	return attr.test.retval ? -ENETDOWN : 0; /* else a number that says: dropped */
}

int inject_packet(const char *device, const uint8_t *packet, size_t len)
{
	uint8_t frame[ETH_HLEN + INJECT_MAX] = {0};
	uint32_t ifindex = if_nametoindex(device);
	int program, err;

	if (!ifindex)
		return -ENODEV;
	if (len == 0 || len > INJECT_MAX)
		return -EMSGSIZE;
	err = put_header(device, frame, packet[0] >> 4);
	if (err)
		return err;
	memcpy(frame + ETH_HLEN, packet, len);
	program = load(ifindex);
	if (program < 0)
		return program;
	err = run(program, frame, ETH_HLEN + len);
	close(program);
	return err;
}
