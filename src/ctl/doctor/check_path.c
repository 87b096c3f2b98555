/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the path to the peer carries, and what the tunnel believes. */
#include "ctl/conf_params.h"
#include "ctl/doctor/probes.h"
#include "proto/overhead.h"

/* The smaller of both directions is what a tunnel can use. */
static uint32_t carries(const struct probes_path *path)
{
	return path->in_known && path->in < path->out ? path->in : path->out;
}

void check_black_hole(struct doctor *d)
{
	const struct probes_path *path = probes_path(d);
	char place[DOCTOR_PLACE_SIZE];

	if (!path->known) {
		doctor_saw(d, "not known: the peer answers neither ping nor GRE probes");
		return;
	}
	doctor_saw(d, "packets of %u octets pass to %s, of %u wanted", path->out, d->remote,
		   path->wanted);
	if (path->out >= path->wanted || path->told_mtu)
		return;
	doctor_found(
		d, DOCTOR_BROKEN,
		"the path to %s drops packets above %u octets without saying so (a black hole)",
		d->remote, path->out);
	doctor_mend(d, "mtu = %u at %s, or let ICMP \"fragmentation needed\" through on the way",
		    conf_fits(d->tunnel, path->out), doctor_place(d, TUNNEL_MTU, place));
}

void check_return_mtu(struct doctor *d)
{
	const struct probes_path *path = probes_path(d);

	if (!path->known)
		return;
	doctor_saw(d, "packets of %u octets come back from %s", path->in, d->remote);
	if (!path->in_known || path->in >= path->out)
		return;
	doctor_found(d, DOCTOR_DEGRADED,
		     "the way back from %s carries only %u octets, the way there %u", d->remote,
		     path->in, path->out);
	doctor_mend(d, "at the peer: mtu = %u for the tunnel", conf_fits(d->tunnel, path->in));
}

/* Learnt from an ICMP error: it works, until it is forgotten and has to be learnt again. */
void check_path_mtu(struct doctor *d)
{
	const struct probes_path *path = probes_path(d);
	const struct link_info *device;
	char place[DOCTOR_PLACE_SIZE], teller[ADDR_TEXT_SIZE];
	uint32_t now;

	if (!d->site || !d->way || d->way->error)
		return;
	device = actual_link_at(d->actual, d->way->way.oif);
	now = path->known ? carries(path) : d->site->params.path_mtu;
	if (device && path->known && path->out > d->site->params.path_mtu && !d->tunnel->mtu) {
		doctor_found(
			d,
			path->out >= device->mtu && d->site->params.path_mtu < IP6_MTU_MIN
				? DOCTOR_DEGRADED
				: DOCTOR_HEALTHY,
			"the kernel believes that the path to %s carries %u octets, but it carries "
			"%u",
			d->remote, d->site->params.path_mtu, path->out);
		doctor_mend(d, "ip route flush cache, or wait ten minutes; ip route get %s",
			    d->remote);
		return;
	}
	if (!device || now >= device->mtu || (path->known && path->wanted <= now && d->tunnel->mtu))
		return;
	if (path->told_mtu) {
		doctor_found(d, DOCTOR_DEGRADED,
			     "the path to %s carries %u octets, less than the %u of %s, as %s says "
			     "by ICMP",
			     d->remote, now, device->mtu, device->name,
			     addr_format(&path->teller, teller));
	} else {
		doctor_found(d, DOCTOR_DEGRADED,
			     "the path to %s carries %u octets, less than the %u of %s, as was "
			     "learnt from "
			     "ICMP or a route",
			     d->remote, now, device->mtu, device->name);
	}
	doctor_mend(d, "mtu = %u at %s, so that it need not be learnt by losing packets",
		    conf_fits(d->tunnel, now), doctor_place(d, TUNNEL_MTU, place));
}

void check_mtu(struct doctor *d)
{
	const struct probes_path *path;
	char place[DOCTOR_PLACE_SIZE];
	uint32_t fits;

	if (!d->site || !d->tunnel->mtu)
		return;
	path = probes_path(d);
	fits = conf_fits(d->tunnel, path->known && carries(path) < d->site->params.path_mtu
					    ? carries(path)
					    : d->site->params.path_mtu);
	doctor_saw(d, "the file fixes %u, the path leaves %u", d->tunnel->mtu, fits);
	if (d->tunnel->mtu <= fits)
		return;
	doctor_found(
		d, DOCTOR_DEGRADED,
		"the file fixes an MTU of %u, but the path leaves %u: larger packets are split or "
		"refused",
		d->tunnel->mtu, fits);
	doctor_mend(d, "mtu = %u at %s, or leave it out", fits, doctor_place(d, TUNNEL_MTU, place));
}

void check_pieces(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);

	if (r->gre_pieces < 2)
		return;
	doctor_found(
		d, DOCTOR_DEGRADED,
		"GRE of the peer %s arrives in fragments: %u in a second, each costs a reassembly",
		d->remote, r->gre_pieces);
	doctor_mend(d, "give the peer's tunnel the MTU of this one: %u",
		    d->site ? d->site->params.mtu : 0);
}
