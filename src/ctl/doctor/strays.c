/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/strays.h"

#include <string.h>

#include "proto/nvgre.h"

/* What is older says little about now. */
#define OLD_MS 60000

static int64_t age(const json_t *stray)
{
	return doctor_number(stray, "last_ms", INT64_MAX);
}

/* Good packets since, or an answered probe, say that it is over. */
static bool is_current(const struct probes_reach *r, const json_t *stray)
{
	int64_t good = doctor_number(r->after, "last_rx_ms", INT64_MAX);

	if (age(stray) > OLD_MS || age(stray) > good)
		return false;
	return r->gre_answers == 0 || age(stray) < 1000;
}

static const json_t *later(const json_t *a, const json_t *b)
{
	return !a || age(b) < age(a) ? b : a;
}

/* In UDP, as the tunnel is, or in IP; that it is not so is what some reasons say. */
static bool comes_as(const json_t *stray, const struct conf_tunnel *tunnel)
{
	return doctor_number(stray, "udp_port", 0) == tunnel->udp_port ||
	       strncmp(doctor_text(stray, "reason"), "rx-udp-", 7) == 0;
}

static bool has_key_of(const json_t *stray, const struct conf_tunnel *tunnel)
{
	int64_t key = doctor_number(stray, "key", -1);

	if (tunnel->mode == MODE_NVGRE)
		return key >= 0 && nvgre_vsid((uint32_t)key) == tunnel->vsid;
	return key == (tunnel->ikey.present ? (int64_t)tunnel->ikey.value : -1);
}

static bool is_recent(struct doctor *d, const json_t *stray)
{
	(void)d;
	return age(stray) < OLD_MS;
}

static bool says_now(struct doctor *d, const json_t *stray)
{
	return is_current(probes_reach(d), stray);
}

static bool says_now_of_key(struct doctor *d, const json_t *stray)
{
	return says_now(d, stray) && has_key_of(stray, d->tunnel);
}

/* The latest of the peer, to this tunnel's address and port, for which fits() is true. */
static const json_t *latest(struct doctor *d, const char *reason,
			    bool (*fits)(struct doctor *d, const json_t *stray))
{
	const struct probes_reach *r = probes_reach(d);
	const json_t *found = NULL;
	size_t i;
	json_t *one;

	json_array_foreach (json_object_get(r->status, "strays"), i, one)
		if (strcmp(doctor_text(one, "reason"), reason) == 0 &&
		    strcmp(doctor_text(one, "remote"), d->remote) == 0 &&
		    strcmp(doctor_text(one, "local"), d->local) == 0 && comes_as(one, d->tunnel) &&
		    fits(d, one))
			found = later(found, one);
	return found;
}

const json_t *stray_of_peer(struct doctor *d, const char *reason)
{
	return latest(d, reason, says_now);
}

const json_t *stray_of_tunnel(struct doctor *d, const char *reason)
{
	return latest(d, reason, says_now_of_key);
}

const json_t *stray_beside_good(struct doctor *d, const char *reason)
{
	return latest(d, reason, is_recent);
}

const json_t *stray_of_stranger(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	const json_t *found = NULL;
	size_t i;
	json_t *one;

	json_array_foreach (json_object_get(r->status, "strays"), i, one)
		if (strcmp(doctor_text(one, "reason"), "rx-source") == 0 &&
		    strcmp(doctor_text(one, "local"), d->local) == 0 &&
		    strcmp(doctor_text(one, "remote"), d->remote) != 0 &&
		    comes_as(one, d->tunnel) && has_key_of(one, d->tunnel) && age(one) < OLD_MS)
			found = later(found, one);
	return found;
}
