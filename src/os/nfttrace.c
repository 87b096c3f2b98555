/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/nfttrace.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/netlink.h"
#include "os/nft.h"

#define MESSAGE_SIZE 32768
/* Enough for each probe of an examination, and too few to cost a busy tunnel anything. */
#define LIMIT "limit rate 20/second burst 20 packets"

struct nft_trace {
	struct nft *nft; /* owns the table: it goes when this closes, however the process ends */
	struct mnl_socket *socket;
	char table[48];
	bool found;
	struct nft_drop drop;
	/* The headers come with a packet's first message in a chain, the verdict often with
	 * another. */
	uint32_t id;
	struct ip_addr from, to;
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
};

static const char *const families[] = {
	[NFPROTO_INET] = "inet",     [NFPROTO_IPV4] = "ip",	  [NFPROTO_ARP] = "arp",
	[NFPROTO_NETDEV] = "netdev", [NFPROTO_BRIDGE] = "bridge", [NFPROTO_IPV6] = "ip6"};

const char *nft_family_name(uint8_t family)
{
	if (family >= sizeof(families) / sizeof(families[0]) || !families[family])
		return "?";
	return families[family];
}

static int listen_for(struct nft_trace *trace)
{
	int group = NFNLGRP_NFTRACE;

	trace->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!trace->socket || mnl_socket_bind(trace->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(trace->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

/* Before every chain that others may have: nobody goes below raw and defragmentation. */
static int put_table(struct nft_trace *trace, const char *match)
{
	char text[1024];

	snprintf(trace->table, sizeof(trace->table), "gretel-doctor-%d", (int)getpid());
	snprintf(text, sizeof(text),
		 "table inet %s {\n"
		 "\tflags owner\n"
		 "\tchain arriving {\n\t\ttype filter hook prerouting priority -1000\n"
		 "\t\t%s " LIMIT " meta nftrace set 1\n\t}\n"
		 "\tchain leaving {\n\t\ttype filter hook output priority -1000\n"
		 "\t\t%s " LIMIT " meta nftrace set 1\n\t}\n"
		 "}\n",
		 trace->table, match, match);
	return nft_run(trace->nft, text, NULL);
}

int nft_trace_open(const char *match, struct nft_trace **out)
{
	struct nft_trace *trace = calloc(1, sizeof(*trace));
	int err;

	if (!trace)
		return -ENOMEM;
	err = nft_open(&trace->nft);
	if (!err)
		err = listen_for(trace);
	if (!err)
		err = put_table(trace, match);
	if (err) {
		nft_trace_close(trace);
		return err;
	}
	*out = trace;
	return 0;
}

void nft_trace_close(struct nft_trace *trace)
{
	if (!trace)
		return;
	if (trace->socket)
		mnl_socket_close(trace->socket);
	nft_close(trace->nft);
	free(trace);
}

/* What one message says. */
struct told {
	struct nft_drop drop;
	uint32_t type;
	uint32_t verdict, policy; /* NF_DROP is 0 */
	bool has_verdict, has_policy;
	uint32_t id; /* of the packet */
};

static void read_header(const struct nlattr *attribute, struct told *out)
{
	const uint8_t *header = mnl_attr_get_payload(attribute);
	size_t len = mnl_attr_get_payload_len(attribute);
	bool v6 = len >= 40 && header[0] >> 4 == 6;

	if (!v6 && (len < 20 || header[0] >> 4 != 4))
		return;
	out->drop.from.family = out->drop.to.family = v6 ? IP_V6 : IP_V4;
	memcpy(out->drop.from.bytes, header + (v6 ? 8 : 12), v6 ? 16 : 4);
	memcpy(out->drop.to.bytes, header + (v6 ? 24 : 16), v6 ? 16 : 4);
}

static void read_verdict(const struct nlattr *attribute, struct told *out)
{
	const struct nlattr *inner;
	struct nl_cursor cursor = nl_nested(attribute);

	while ((inner = nl_next(&cursor)))
		if (mnl_attr_get_type(inner) == NFTA_VERDICT_CODE) {
			out->verdict = ntohl(mnl_attr_get_u32(inner));
			out->has_verdict = true;
		}
}

static void read_attribute(const struct nlattr *attribute, struct told *out)
{
	switch (mnl_attr_get_type(attribute)) {
	case NFTA_TRACE_TABLE:
		snprintf(out->drop.table, sizeof(out->drop.table), "%s",
			 mnl_attr_get_str(attribute));
		break;
	case NFTA_TRACE_CHAIN:
		snprintf(out->drop.chain, sizeof(out->drop.chain), "%s",
			 mnl_attr_get_str(attribute));
		break;
	case NFTA_TRACE_RULE_HANDLE:
		out->drop.handle = be64toh(mnl_attr_get_u64(attribute));
		break;
	case NFTA_TRACE_ID:
		out->id = mnl_attr_get_u32(attribute);
		break;
	case NFTA_TRACE_NETWORK_HEADER:
		read_header(attribute, out);
		break;
	case NFTA_TRACE_TYPE:
		out->type = ntohl(mnl_attr_get_u32(attribute));
		break;
	case NFTA_TRACE_VERDICT:
		read_verdict(attribute, out);
		break;
	case NFTA_TRACE_POLICY:
		out->policy = ntohl(mnl_attr_get_u32(attribute));
		out->has_policy = true;
		break;
	}
}

static int take(const struct nlmsghdr *message, void *arg)
{
	struct nft_trace *trace = arg;
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct told told = {.drop = {.family = header->nfgen_family}};
	const struct nlattr *attribute;
	struct nl_cursor cursor = nl_attributes(message, sizeof(*header));

	if (trace->found || (message->nlmsg_type & 0xff) != NFT_MSG_TRACE)
		return MNL_CB_OK;
	while ((attribute = nl_next(&cursor)))
		read_attribute(attribute, &told);
	if (told.drop.from.family != IP_NONE) {
		trace->id = told.id;
		trace->from = told.drop.from;
		trace->to = told.drop.to;
	} else if (told.id == trace->id) {
		told.drop.from = trace->from;
		told.drop.to = trace->to;
	}
	if (told.type == NFT_TRACETYPE_RULE && told.has_verdict && told.verdict == NF_DROP)
		trace->found = true;
	if (told.type == NFT_TRACETYPE_POLICY && told.has_policy && told.policy == NF_DROP) {
		told.drop.handle = 0;
		trace->found = true;
	}
	if (trace->found)
		trace->drop = told.drop;
	return MNL_CB_OK;
}

static void read_rule(struct nft_trace *trace)
{
	struct nft_drop *drop = &trace->drop;
	char chain[160];

	if (!drop->handle)
		return;
	snprintf(chain, sizeof(chain), "%s %s %s", nft_family_name(drop->family), drop->table,
		 drop->chain);
	if (nft_print_rule(trace->nft, chain, drop->handle, drop->rule, sizeof(drop->rule)) != 0)
		drop->rule[0] = '\0';
}

int nft_trace_next(struct nft_trace *trace, int timeout_ms, struct nft_drop *out)
{
	struct pollfd ready = {.fd = mnl_socket_get_fd(trace->socket), .events = POLLIN};

	uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000u, now;

	trace->found = false;
	while (!trace->found) {
		now = clock_now_ns();
		if (now >= end || poll(&ready, 1, (int)((end - now + 999999) / 1000000u)) <= 0)
			return 0;
		ssize_t n = mnl_socket_recvfrom(trace->socket, trace->buffer, MESSAGE_SIZE);
		if (n < 0)
			return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
		if (mnl_cb_run(trace->buffer, (size_t)n, 0, 0, take, trace) < 0)
			return -EIO;
	}
	read_rule(trace);
	*out = trace->drop;
	return 1;
}
