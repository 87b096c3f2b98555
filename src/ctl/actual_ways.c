/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/actual_read.h"
#include "ctl/ends.h"

const struct link_info *actual_bound_vrf(const struct actual *actual,
					 const struct conf_tunnel *tunnel)
{
	const struct link_info *link = tunnel->bind[0] ? actual_link(actual, tunnel->bind) : NULL;

	return link && link->vrf_table ? link : NULL;
}

/* A lookup that several tunnels may share: ten keys between two addresses are one question. */
struct question {
	struct ip_addr local, remote;
	char bind[IFNAMSIZ];
	uint32_t fwmark;
	size_t tunnel;
};

static int compare_questions(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct question, tunnel));
}

static int compare_addrs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

/* The host's addresses, sorted; NULL without memory. */
static struct ip_addr *sort_addresses(const struct actual *actual)
{
	struct ip_addr *sorted = calloc(actual->host_address_count + 1, sizeof(*sorted));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < actual->host_address_count; i++)
		sorted[i] = actual->host_addresses[i].local.addr;
	qsort(sorted, actual->host_address_count, sizeof(*sorted), compare_addrs);
	return sorted;
}

static void set_path_mtu(const struct actual *actual, struct actual_way *way)
{
	const struct link_info *link = actual_link_at(actual, way->way.oif);

	way->path_mtu = link ? link->mtu : 0;
	if (way->way.mtu && (!way->path_mtu || way->way.mtu < way->path_mtu))
		way->path_mtu = way->way.mtu;
}

/* A device of the VRF, or the VRF itself, where its local addresses are. */
static bool is_part(const struct actual *actual, const struct link_info *vrf, uint32_t index)
{
	const struct link_info *link = actual_link_at(actual, index);

	return index == vrf->index || (link && link->master == vrf->index);
}

static void ask(struct nl *nl, const struct actual *actual, const struct question *question,
		struct actual_way *out)
{
	struct route_question asked = {.to = question->remote, .mark = question->fwmark};
	const struct link_info *bind = NULL;

	if (question->bind[0]) {
		bind = actual_link(actual, question->bind);
		if (!bind) {
			out->error = -ENODEV;
			return;
		}
		asked.oif = bind->index;
	}
	/* A source that the host does not have would make the kernel say "unreachable". */
	if (!out->local_missing)
		asked.from = question->local;
	out->error = route_ask(nl, &asked, &out->way);
	out->leaves_vrf =
		!out->error && bind && bind->vrf_table && !is_part(actual, bind, out->way.oif);
	if (!out->error)
		set_path_mtu(actual, out);
	else if (bind && !bind->vrf_table)
		out->path_mtu = bind->mtu;
}

static struct question *make_questions(const struct conf *conf)
{
	struct question *questions = calloc(conf->tunnel_count + 1, sizeof(*questions));

	if (!questions)
		return NULL;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		questions[i].local = conf->tunnels[i].local;
		questions[i].remote = conf->tunnels[i].remote;
		memcpy(questions[i].bind, conf->tunnels[i].bind, strlen(conf->tunnels[i].bind));
		questions[i].fwmark = conf->tunnels[i].fwmark;
		questions[i].tunnel = i;
	}
	qsort(questions, conf->tunnel_count, sizeof(*questions), compare_questions);
	return questions;
}

/* Makes actual->conf a copy in which the ends are filled in that are known. */
static int settle_ends(const struct conf *conf, struct actual *actual)
{
	struct conf *copy;

	if (!ends_are_moving(conf))
		return 0;
	copy = actual->settled = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *conf;
	copy->tunnels = calloc(conf->tunnel_count, sizeof(*copy->tunnels));
	if (!copy->tunnels)
		return -ENOMEM;
	memcpy(copy->tunnels, conf->tunnels, conf->tunnel_count * sizeof(*copy->tunnels));
	actual->conf = copy;
	return ends_settle(conf, actual, copy->tunnels, actual->ways);
}

/* Of an address that the file says outright the plan is refused; one that was found may change. */
static void check_peer(struct actual *actual, size_t index)
{
	struct actual_way *way = &actual->ways[index];
	struct conf_tunnel *tunnel = actual->settled ? &actual->settled->tunnels[index] : NULL;
	char text[ADDR_TEXT_SIZE];

	if (!tunnel || !conf_remote_word(tunnel) || way->error || way->way.type != RTN_LOCAL)
		return;
	snprintf(way->why, sizeof(way->why),
		 "%s, which %.64s stands for, is an address of this host",
		 addr_format(&tunnel->remote, text), conf_remote_word(tunnel));
	tunnel->remote = (struct ip_addr){0};
	tunnel->remote_port = 0;
}

static void ask_all(struct nl *nl, struct actual *actual, const struct question *questions,
		    const struct ip_addr *host)
{
	for (size_t i = 0; i < actual->way_count; i++) {
		const struct question *question = &questions[i];
		struct actual_way *way = &actual->ways[question->tunnel];
		const struct conf_tunnel *tunnel = &actual->conf->tunnels[question->tunnel];
		bool known = conf_has_ends(tunnel);

		/* A peer that is not known yet has no way, but is to be heard somewhere. */
		if (!known && (!tunnel->remote_any || tunnel->local.family == IP_NONE))
			continue;
		if (known && i && compare_questions(question, question - 1) == 0) {
			*way = actual->ways[question[-1].tunnel];
			continue;
		}
		way->local_missing = !bsearch(&question->local, host, actual->host_address_count,
					      sizeof(*host), compare_addrs);
		if (known)
			ask(nl, actual, question, way);
	}
	for (size_t i = 0; i < actual->way_count; i++)
		check_peer(actual, i);
}

/* A kernel without VRFs has no such setting. */
static bool is_deaf(const char *name)
{
	char value[SYSCTL_VALUE_SIZE];

	return sysctl_read(name, value) == 0 && strcmp(value, "0") == 0;
}

int actual_read_ways(struct nl *nl, const struct conf *conf, struct actual *actual)
{
	struct ip_addr *host = sort_addresses(actual);
	struct question *questions = NULL;
	int err = -ENOMEM;

	actual->raw_deaf = is_deaf("net/ipv4/raw_l3mdev_accept");
	actual->udp_deaf = is_deaf("net/ipv4/udp_l3mdev_accept");
	actual->ways = calloc(conf->tunnel_count + 1, sizeof(*actual->ways));
	if (host && actual->ways)
		err = settle_ends(conf, actual);
	if (!err) {
		actual->way_count = conf->tunnel_count;
		questions = make_questions(actual->conf);
		if (questions)
			ask_all(nl, actual, questions, host);
		else
			err = -ENOMEM;
	}
	free(host);
	free(questions);
	return err;
}
