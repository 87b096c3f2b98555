/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this host forwards, and takes packets from where they come. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/doctor/inside.h"
#include "os/procfile.h"

static int read_value(const char *path, const char *device, const char *leaf,
		      char name[SYSCTL_NAME_SIZE])
{
	char value[SYSCTL_VALUE_SIZE];

	snprintf(name, SYSCTL_NAME_SIZE, "%s/%s/%s", path, device, leaf);
	/* The name that everybody knows. */
	if (strcmp(name, "net/ipv4/conf/all/forwarding") == 0)
		strcpy(name, "net/ipv4/ip_forward");
	return sysctl_read(name, value) ? -1 : (int)strtol(value, NULL, 10);
}

static void found_off(struct doctor *d, const char *path)
{
	char name[SYSCTL_NAME_SIZE];

	sysctl_name(path, name);
	doctor_found(d, DOCTOR_BROKEN, "this host does not forward: %s is 0", name);
	if (d->conf->forward.enable && (strstr(path, "/all/") || strstr(path, "ip_forward")))
		doctor_mend(d, "gretel reload turns it on again");
	else
		doctor_mend(d, "sysctl -w %s=1, or \"enable = yes\" in [forward]", name);
}

/* IPv4 asks the device of arrival, IPv6 the whole host. */
static void look_forwarding(struct doctor *d, const struct inside_family *f)
{
	const char *path = f->family == IP_V6 ? "net/ipv6/conf" : "net/ipv4/conf";
	const char *devices[] = {"all", f->lan_name, d->tunnel->name};
	char name[SYSCTL_NAME_SIZE], shown[SYSCTL_NAME_SIZE];

	for (size_t i = 0; i < (f->family == IP_V6 ? 1 : 3); i++) {
		int value = read_value(path, devices[i], "forwarding", name);

		if (value < 0)
			continue;
		doctor_saw(d, "%s = %d", sysctl_name(name, shown), value);
		if (value == 0) {
			found_off(d, name);
			return;
		}
	}
}

void check_forwarding(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;

	for (size_t i = 0; d->conf->forward.present && (f = inside_family(inside, i)); i++)
		if (f->has_lan)
			look_forwarding(d, f);
}

/* The kernel's own answer for a packet from behind the peer: true when its source may not come in
 * by the tunnel. */
static bool is_refused(struct doctor *d, const struct ip_addr *from, const struct ip_addr *to)
{
	struct route_question question = {.to = *to, .from = *from, .iif = d->link->index};
	struct route_way way;
	int err = route_ask(d->nl, &question, &way);

	return err == -EXDEV || err == -EINVAL;
}

void check_rp_filter(struct doctor *d)
{
	const struct inside *inside = inside_get(d);
	const struct inside_family *f;
	char name[SYSCTL_NAME_SIZE], shown[SYSCTL_NAME_SIZE], from[ADDR_TEXT_SIZE];
	const struct ip_addr *source = NULL;

	for (size_t i = 0; (f = inside_family(inside, i)); i++)
		if (f->family == IP_V4)
			break;
	if (!f)
		return;
	int all = read_value("net/ipv4/conf", "all", "rp_filter", name);
	int own = read_value("net/ipv4/conf", d->tunnel->name, "rp_filter", name);
	int64_t refused = proc_net_counter("netstat", "TcpExt", "IPReversePathFilter");
	doctor_saw(d, "rp_filter is %d for all and %d for %s; this host refused %lld packets by it",
		   all, own, d->tunnel->name, (long long)refused);
	if ((all > own ? all : own) != 1)
		return;
	if (f->peer.family != IP_NONE && is_refused(d, &f->peer, &f->own))
		source = &f->peer;
	else if (f->has_lan && f->how != FAR_NONE && f->far_prefix.len &&
		 is_refused(d, &f->far, &f->lan_host))
		source = &f->far;
	if (!source)
		return;
	doctor_found(d, DOCTOR_BROKEN,
		     "strict rp_filter drops what comes in by %s from %s, because the route back "
		     "does not lead into the tunnel",
		     d->tunnel->name, addr_format(source, from));
	/* The larger of the two values holds: 2 wins over 1. */
	doctor_mend(d, "sysctl -w %s=2, or a route to it that leads into the tunnel",
		    sysctl_name(name, shown));
}
