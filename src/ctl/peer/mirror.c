/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel as its other end has it: what goes out there comes in here. */
#include "ctl/peer/mirror.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_params.h"
#include "proto/overhead.h"

void mirror_note(struct mirror *mirror, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(mirror->notes, format, args);
	va_end(args);
	fputc('\n', mirror->notes);
}

void *mirror_grow(struct mirror *mirror, void *array, size_t *count, size_t size)
{
	void **items = array;
	char *grown = reallocarray(*items, *count + 1, size);

	if (!grown) {
		mirror->lost = true;
		return NULL;
	}
	*items = grown;
	return memset(grown + size * (*count)++, 0, size);
}

/* Sent without being asked for becomes asked for without being sent, and the reverse. */
static enum conf_checksum mirror_checksum(enum conf_checksum ours)
{
	static const enum conf_checksum theirs[] = {
		[CHECKSUM_NO] = CHECKSUM_NO,
		[CHECKSUM_YES] = CHECKSUM_RECEIVE,
		[CHECKSUM_REQUIRE] = CHECKSUM_REQUIRE,
		[CHECKSUM_RECEIVE] = CHECKSUM_YES,
	};
	return theirs[ours];
}

static enum conf_sequence mirror_sequence(enum conf_sequence ours)
{
	static const enum conf_sequence theirs[] = {
		[SEQUENCE_NO] = SEQUENCE_NO,
		[SEQUENCE_YES] = SEQUENCE_YES,
		[SEQUENCE_SEND] = SEQUENCE_RECEIVE,
		[SEQUENCE_RECEIVE] = SEQUENCE_SEND,
	};
	return theirs[ours];
}

/* Our inner address of a family; NULL when there is none. */
static const struct ip_addr *our_inner(const struct peer_view *view, uint8_t family)
{
	for (size_t i = 0; i < view->far_count; i++)
		if (view->far[i].family == family)
			return &view->far[i];
	return NULL;
}

/* What asks, and how: the peer asks as we do. What we do for a peer behind NAT, or for a provider
 * that asks by echo replies, is no business of the peer's. */
static void mirror_probe(struct mirror *mirror)
{
	const struct conf_tunnel *ours = mirror->tunnel;
	struct conf_tunnel *t = mirror->theirs;
	const struct ip_addr *inner = our_inner(mirror->view, ours->probe.family);
	char text[ADDR_TEXT_SIZE];

	t->echo_return = false;
	t->keepalive_nat = false;
	if (ours->keepalive_nat)
		mirror_note(
			mirror,
			"the peer is behind a NAT: its local is the private address that it has "
			"there, not %s",
			addr_format(&t->local, text));
	t->probe = inner ? *inner : (struct ip_addr){0};
	if (ours->probe.family != IP_NONE && !inner)
		mirror_note(mirror, "we have no address inside that the peer could ask by ICMP");
}

/* One tunnel is printed at a time, so what names others is left out. */
static void mirror_ways(struct mirror *mirror)
{
	struct conf_tunnel *t = mirror->theirs;

	if (t->backup_of[0])
		mirror_note(mirror,
			    "here it is a backup of %s: print that one, too, and have the same of "
			    "the two there",
			    t->backup_of);
	if (t->group[0])
		mirror_note(mirror,
			    "here it shares its routes with others of the group %s: print these, "
			    "too, and have the same of them there",
			    t->group);
	if (t->vrf[0])
		mirror_note(mirror,
			    "the tunnel is in the VRF %s here: put the other end into one of the "
			    "peer's, if it is to be in any",
			    t->vrf);
	memset(t->vrf, 0, sizeof t->vrf);
	memset(t->backup_of, 0, sizeof t->backup_of);
	memset(t->group, 0, sizeof t->group);
	t->weight = 0;
	if (t->return_path)
		mirror_note(mirror,
			    "answers leave by this tunnel here: our file does not say what of "
			    "ours the peer publishes");
	t->return_path = false;
	t->on_up = NULL;
	t->on_down = NULL;
}

/* Addresses that are looked up here are those in effect, if they are known; where they come from is
 * no business of the peer's. */
static void mirror_ends(struct mirror *mirror)
{
	const struct conf_tunnel *ours = mirror->tunnel;
	struct conf_tunnel *t = mirror->theirs;
	char text[ADDR_TEXT_SIZE];

	t->local = ours->remote;
	t->remote = ours->local;
	t->remote_name = NULL;
	memset(t->local_device, 0, sizeof t->local_device);
	if (t->local.family == IP_NONE)
		memcpy(t->local_device, "DEVICE", sizeof "DEVICE");
	else if (ours->remote_name)
		mirror_note(mirror,
			    "the peer's address %s is that of %s now and may change: its device "
			    "would know",
			    addr_format(&t->local, text), ours->remote_name);
	if (ours->nat && !ours->remote_any)
		return;
	if (t->remote.family == IP_NONE) {
		t->remote_name = strdup("this-site.invalid");
		mirror->lost |= !t->remote_name;
	} else if (ours->local_device[0]) {
		mirror_note(mirror,
			    "our address %s is that of %s now and may change: a DNS name for it "
			    "would follow",
			    addr_format(&t->remote, text), ours->local_device);
	}
}

/* One side is behind a NAT, and the other learns where. Who is behind it has an address there that
 * nobody here knows. */
static void mirror_nat(struct mirror *mirror)
{
	const struct conf_tunnel *ours = mirror->tunnel;
	struct conf_tunnel *t = mirror->theirs;

	t->remote_any = !ours->remote_any;
	t->remote_port = 0;
	if (ours->remote_any) {
		t->local = (struct ip_addr){.family = IP_NONE};
		memcpy(t->local_device, "DEVICE", sizeof "DEVICE");
		return;
	}
	t->remote = (struct ip_addr){.family = IP_NONE};
	mirror_note(mirror, "this side is behind a NAT: where it is, the peer learns");
}

static void mirror_tunnel(struct mirror *mirror)
{
	const struct conf_tunnel *ours = mirror->tunnel;
	struct conf_tunnel *t = mirror->theirs;

	*t = *ours;
	t->at = (struct conf_place){0};
	memset(t->lines, 0, sizeof t->lines);
	t->fwmark = 0;
	t->profile = NULL; /* its values are filled in */
	t->addresses = NULL;
	t->address_count = 0;
	t->routes = NULL;
	t->route_count = 0;
	mirror_ends(mirror);
	if (ours->nat)
		mirror_nat(mirror);
	t->ikey = ours->okey;
	t->okey = ours->ikey;
	t->checksum = mirror_checksum(ours->checksum);
	t->sequence = mirror_sequence(ours->sequence);
	for (size_t i = 0; i < ours->address_count; i++)
		mirror_address(mirror, &ours->addresses[i]);
	mirror_probe(mirror);
	mirror_ways(mirror);
}

static void see_family(struct peer_view *view, uint8_t family)
{
	view->inside4 |= family == IP_V4;
	view->inside6 |= family == IP_V6;
}

static void set_families(struct peer_view *view)
{
	const struct conf_forward *forward = &view->conf->forward;
	const struct conf_tunnel *t = view->tunnel;

	for (size_t i = 0; i < t->address_count; i++)
		see_family(view, t->addresses[i].local.addr.family);
	for (size_t i = 0; i < t->route_count; i++)
		see_family(view, t->routes[i].to.addr.family);
	for (size_t i = 0; i < forward->allow_count; i++)
		see_family(view, forward->allows[i].from.addr.family);
	for (size_t i = 0; i < forward->snat_count; i++)
		see_family(view, forward->snats[i].from.addr.family);
}

/* As site.c does for ourselves, on that path. */
static void set_numbers(struct peer_view *view)
{
	const struct conf_tunnel *t = view->tunnel;
	uint32_t fits;

	view->csum_send = t->checksum == CHECKSUM_YES || t->checksum == CHECKSUM_REQUIRE;
	view->csum_require = t->checksum == CHECKSUM_REQUIRE || t->checksum == CHECKSUM_RECEIVE;
	view->seq_send = conf_sends_sequence(t);
	view->seq_receive = t->sequence == SEQUENCE_YES || t->sequence == SEQUENCE_RECEIVE;
	fits = conf_fits(t, view->path_mtu);
	/* What it sends may have more headers than what we send. */
	if (t->mtu > 65535 - conf_overhead(t))
		view->conf->tunnels[0].mtu = 65535 - conf_overhead(t);
	view->mtu = t->mtu ? t->mtu : fits;
	if (fits > view->mtu)
		fits = view->mtu;
	view->mss4 = t->mss_auto ? mss_for_mtu(IP_V4, fits) : t->mss;
	view->mss6 = t->mss_auto ? mss_for_mtu(IP_V6, fits) : t->mss;
	view->forward = view->conf->forward.present && view->conf->forward.enable;
}

/* FNV-1a of the name: the same wherever and whenever it is printed. */
static uint32_t table_of(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619U;
	return PEER_TABLE + 1 + hash % 4095;
}

static struct conf *empty_conf(void)
{
	struct conf *conf = calloc(1, sizeof *conf);

	if (!conf)
		return NULL;
	conf->flows = CONF_FLOWS;
	conf->tunnels = calloc(1, sizeof *conf->tunnels);
	if (!conf->tunnels) {
		free(conf);
		return NULL;
	}
	conf->tunnel_count = 1;
	return conf;
}

int peer_mirror(const struct conf *conf, const struct conf_tunnel *tunnel, uint32_t path_mtu,
		struct peer_view *out)
{
	struct mirror mirror = {.conf = conf, .tunnel = tunnel, .view = out};
	size_t size;

	*out = (struct peer_view){.conf = empty_conf(),
				  .table = table_of(tunnel->name),
				  .path_mtu = path_mtu ? path_mtu : PEER_PATH_MTU};
	mirror.notes = open_memstream(&out->notes, &size);
	if (out->conf && mirror.notes) {
		mirror.theirs = out->conf->tunnels;
		out->tunnel = mirror.theirs;
		mirror_tunnel(&mirror);
		mirror_forward(&mirror);
		mirror.theirs->return_path = out->return_path;
		set_families(out);
		set_numbers(out);
	}
	if (mirror.notes && fclose(mirror.notes) == 0 && out->conf && !mirror.lost)
		return 0;
	peer_view_free(out);
	return -ENOMEM;
}

void peer_view_free(struct peer_view *view)
{
	conf_free(view->conf);
	free(view->notes);
	free(view->sources);
	free(view->far);
	free(view->pairs);
	*view = (struct peer_view){0};
}
