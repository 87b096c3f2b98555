/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/actual_read.h"

/* A lookup that several tunnels may share: ten keys between two addresses are one question. */
struct question {
	struct ip_addr local, remote;
	char bind[IFNAMSIZ];
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
	struct ip_addr *sorted = calloc(actual->address_count + 1, sizeof(*sorted));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < actual->address_count; i++)
		sorted[i] = actual->addresses[i].local.addr;
	qsort(sorted, actual->address_count, sizeof(*sorted), compare_addrs);
	return sorted;
}

static void set_path_mtu(const struct actual *actual, struct actual_way *way)
{
	const struct link_info *link = actual_link_at(actual, way->way.oif);

	way->path_mtu = link ? link->mtu : 0;
	if (way->way.mtu && (!way->path_mtu || way->way.mtu < way->path_mtu))
		way->path_mtu = way->way.mtu;
}

static void ask(struct nl *nl, const struct actual *actual, const struct question *question,
		struct actual_way *out)
{
	const struct link_info *bind = NULL;

	if (question->bind[0]) {
		bind = actual_link(actual, question->bind);
		if (!bind) {
			out->error = -ENODEV;
			return;
		}
	}
	/* A source that the host does not have would make the kernel say "unreachable". */
	out->error = route_find(nl, &question->remote, out->local_missing ? NULL : &question->local,
				bind ? bind->index : 0, &out->way);
	if (!out->error)
		set_path_mtu(actual, out);
	else if (bind)
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
		questions[i].tunnel = i;
	}
	qsort(questions, conf->tunnel_count, sizeof(*questions), compare_questions);
	return questions;
}

int actual_read_ways(struct nl *nl, const struct conf *conf, struct actual *actual)
{
	struct ip_addr *host = sort_addresses(actual);
	struct question *questions = make_questions(conf);
	int err = 0;

	actual->ways = calloc(conf->tunnel_count + 1, sizeof(*actual->ways));
	if (!host || !questions || !actual->ways)
		err = -ENOMEM;
	else
		actual->way_count = conf->tunnel_count;
	for (size_t i = 0; !err && i < conf->tunnel_count; i++) {
		const struct question *question = &questions[i];
		struct actual_way *way = &actual->ways[question->tunnel];

		if (i && compare_questions(question, question - 1) == 0) {
			*way = actual->ways[question[-1].tunnel];
			continue;
		}
		way->local_missing = !bsearch(&question->local, host, actual->address_count,
					      sizeof(*host), compare_addrs);
		ask(nl, actual, question, way);
	}
	free(host);
	free(questions);
	return err;
}
