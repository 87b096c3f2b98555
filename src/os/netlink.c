/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel fills dumps up to 32 KiB a message when the reader offers that much. */
#define ANSWER_SIZE 32768

static void set_option(struct nl *nl, int option)
{
	int on = 1;

	/* Without it (an older kernel) answers are longer or errors have no text: no harm. */
	(void)mnl_socket_setsockopt(nl->socket, option, &on, sizeof(on));
}

int nl_open(struct nl *nl, int bus)
{
	*nl = (struct nl){0};
	nl->buffer = malloc(ANSWER_SIZE);
	if (!nl->buffer)
		return -ENOMEM;
	nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int err = errno;

		nl_close(nl);
		return -err;
	}
	set_option(nl, NETLINK_EXT_ACK);
	set_option(nl, NETLINK_CAP_ACK);
	set_option(nl, NETLINK_GET_STRICT_CHK);
	nl->port = mnl_socket_get_portid(nl->socket);
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl->buffer);
	*nl = (struct nl){0};
}

/* Messages and attributes are padded to 4 octets. (libmnl's own loops do not survive -Wconversion.)
 */
static size_t align4(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

struct nl_cursor nl_attributes(const struct nlmsghdr *answer, size_t header)
{
	size_t skip = sizeof(*answer) + align4(header);

	return (struct nl_cursor){(const struct nlattr *)((const char *)answer + skip),
				  answer->nlmsg_len > skip ? answer->nlmsg_len - skip : 0};
}

struct nl_cursor nl_nested(const struct nlattr *attribute)
{
	return (struct nl_cursor){mnl_attr_get_payload(attribute),
				  mnl_attr_get_payload_len(attribute)};
}

const struct nlattr *nl_next(struct nl_cursor *cursor)
{
	const struct nlattr *attribute = cursor->at;
	size_t step;

	if (cursor->left < sizeof(*attribute) || attribute->nla_len < sizeof(*attribute) ||
	    attribute->nla_len > cursor->left)
		return NULL;
	step = align4(attribute->nla_len);
	cursor->left -= step < cursor->left ? step : cursor->left;
	cursor->at = (const struct nlattr *)((const char *)attribute + step);
	return attribute;
}

/* The attributes behind an error: with NLM_F_CAPPED only the header of our request precedes them.
 */
static void read_text(struct nl *nl, const struct nlmsghdr *answer)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(answer);
	size_t skip = sizeof(*error);
	const struct nlattr *attribute;
	struct nl_cursor cursor;

	if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(answer->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > sizeof(error->msg))
		skip += align4(error->msg.nlmsg_len) - sizeof(error->msg);
	cursor = nl_attributes(answer, skip);
	while ((attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) != NLMSGERR_ATTR_MSG)
			continue;
		snprintf(nl->text, sizeof(nl->text), "%.*s",
			 (int)mnl_attr_get_payload_len(attribute), mnl_attr_get_str(attribute));
	}
}

struct asking {
	struct nl *nl;
	nl_each_fn each;
	void *arg;
	int result;
};

/* 1: the answer is complete. 0: more to come. Below zero: asking->result. */
static int take(struct asking *asking, const struct nlmsghdr *answer)
{
	const struct nlmsgerr *error;

	if (answer->nlmsg_flags & NLM_F_DUMP_INTR)
		asking->result = -EINTR;
	switch (answer->nlmsg_type) {
	case NLMSG_ERROR:
		error = mnl_nlmsg_get_payload(answer);
		if (error->error)
			read_text(asking->nl, answer);
		if (!asking->result)
			asking->result = error->error;
		return 1;
	case NLMSG_DONE:
		/* A dump that failed says so in its last message. */
		if (!asking->result &&
		    mnl_nlmsg_get_payload_len(answer) >= sizeof(asking->result)) {
			int end = *(const int *)mnl_nlmsg_get_payload(answer);

			asking->result = end < 0 ? end : 0;
		}
		return 1;
	case NLMSG_NOOP:
	case NLMSG_OVERRUN:
		return 0;
	}
	/* After `each` had enough the rest is read, so that the next answer is the next request's.
	 */
	if (!asking->result && asking->each)
		asking->result = asking->each(asking->arg, answer);
	return 0;
}

static int take_all(struct asking *asking, const char *buffer, ssize_t length)
{
	const struct nlmsghdr *answer = (const struct nlmsghdr *)buffer;
	int left = (int)length;

	for (; mnl_nlmsg_ok(answer, left); answer = mnl_nlmsg_next(answer, &left)) {
		if (!mnl_nlmsg_seq_ok(answer, asking->nl->sequence) ||
		    !mnl_nlmsg_portid_ok(answer, asking->nl->port))
			continue;
		if (take(asking, answer))
			return 1;
	}
	return 0;
}

int nl_ask(struct nl *nl, struct nlmsghdr *request, nl_each_fn each, void *arg)
{
	struct asking asking = {.nl = nl, .each = each, .arg = arg};

	nl->text[0] = '\0';
	request->nlmsg_seq = ++nl->sequence;
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t length = mnl_socket_recvfrom(nl->socket, nl->buffer, ANSWER_SIZE);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return -errno;
		if (take_all(&asking, nl->buffer, length))
			return asking.result;
	}
}

struct nlmsghdr *nl_begin(char buffer[NL_REQUEST_SIZE], uint16_t type, uint16_t flags, size_t extra,
			  uint8_t family)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	uint8_t *header = mnl_nlmsg_put_extra_header(request, extra);

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	header[0] = family;
	return request;
}

void nl_put_addr(struct nlmsghdr *request, uint16_t attribute, const struct ip_addr *addr)
{
	mnl_attr_put(request, attribute, addr_size(addr->family), addr->bytes);
}

int nl_get_addr(const struct nlattr *attribute, uint8_t family, struct ip_addr *out)
{
	if (mnl_attr_get_payload_len(attribute) != addr_size(family))
		return -EINVAL;
	*out = (struct ip_addr){.family = family};
	memcpy(out->bytes, mnl_attr_get_payload(attribute), addr_size(family));
	return 0;
}
