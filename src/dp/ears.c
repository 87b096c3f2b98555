/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/ears.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/rawsock.h"
#include "proto/ip.h"

struct ear {
	struct ear *next;
	uint32_t mark, ifindex;
	uint8_t family, protocol;
	unsigned tunnels;
	int fd;
};

static uint8_t protocol_of(const struct dp_params *params)
{
	return params->udp_port ? IP_PROTOCOL_UDP : IP_PROTOCOL_GRE;
}

static struct ear **find(struct ear **ears, const struct dp_params *params)
{
	while (*ears &&
	       ((*ears)->mark != params->fwmark || (*ears)->ifindex != params->bind_ifindex ||
		(*ears)->family != params->remote.family ||
		(*ears)->protocol != protocol_of(params)))
		ears = &(*ears)->next;
	return ears;
}

static bool is_needed(const struct dp_params *params)
{
	return (params->fwmark || params->bind_ifindex) && params->remote.family != IP_NONE;
}

int ears_take(struct ear **ears, const struct dp_params *params)
{
	struct ear **at = find(ears, params), *ear = *at;

	if (!is_needed(params))
		return 0;
	if (!ear) {
		int fd = raw_open_ear(params->remote.family, protocol_of(params), params->fwmark,
				      params->bind_ifindex);

		if (fd < 0)
			return fd;
		ear = malloc(sizeof *ear);
		if (!ear) {
			close(fd);
			return -ENOMEM;
		}
		*ear = (struct ear){.mark = params->fwmark,
				    .ifindex = params->bind_ifindex,
				    .family = params->remote.family,
				    .protocol = protocol_of(params),
				    .fd = fd};
		*at = ear;
	}
	ear->tunnels++;
	return 0;
}

void ears_release(struct ear **ears, const struct dp_params *params)
{
	struct ear **at = find(ears, params), *ear = *at;

	if (!is_needed(params) || --ear->tunnels > 0)
		return;
	*at = ear->next;
	close(ear->fd);
	free(ear);
}
