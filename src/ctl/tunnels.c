/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tunnels.c: how each tunnel of the running site fares: whether it is in place, as the last look
 * found it, and whether it can be used, for which its peer has a say too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/event.h"
#include "ctl/session.h"

/* What was seen of one tunnel, after the plan was applied. */
static struct session_tunnel look(const struct session *s, const struct pass *pass, size_t index)
{
	const struct conf_tunnel *tunnel = &pass->actual.conf->tunnels[index];
	const struct actual_way *way = &pass->actual.ways[index];
	struct session_tunnel t = {
		.state = SESSION_WAITING, .local = tunnel->local, .remote = tunnel->remote};
	char text[ADDR_TEXT_SIZE];
	const struct lane_ops *lane = lane_ops(s->lane);
	if (way->local_missing) {
		snprintf(t.reason, sizeof t.reason, "local address %s is not on this host",
			 addr_format(&tunnel->local, text));
	} else if (way->why[0]) {
		snprintf(t.reason, sizeof t.reason, "%s", way->why);
	} else if (way->error) {
		snprintf(t.reason, sizeof t.reason, "no route to %s: %s",
			 addr_format(&tunnel->remote, text), strerror(-way->error));
	} else if (!lane->params(lane->arg, tunnel->name)) {
		t.state = SESSION_FAILED;
		snprintf(t.reason, sizeof t.reason, "no lane carries it");
	} else {
		t.state = SESSION_UP;
	}
	return t;
}

static void tell_state(struct session *s, const char *name, const struct session_tunnel *old,
		       const struct session_tunnel *now)
{
	json_t *details = json_pack("{s:s, s:s}", "state", session_state_names[now->state],
				    "reason", now->reason);
	/* What a command has just begun, it also tells. */
	enum log_level level = !old			  ? LOG_LEVEL_DEBUG
			       : now->state == SESSION_UP ? LOG_LEVEL_INFO
							  : LOG_LEVEL_WARN;
	if (now->state == SESSION_UP)
		session_event(s, EVENT_STATE, name, details, level, "tunnel %s is up", name);
	else
		session_event(s, EVENT_STATE, name, details, level, "tunnel %s %s: %s", name,
			      now->state == SESSION_WAITING ? "waits" : "failed", now->reason);
}

static void tell_use(struct session *s, const struct conf_tunnel *tunnel, enum session_use use,
		     const char *reason)
{
	const char *name = tunnel->name;
	json_t *details = json_pack("{s:b, s:s}", "usable", use == USE_YES, "reason", reason);
	if (use == USE_YES)
		session_event(s, EVENT_USABLE, name, details, LOG_LEVEL_DEBUG,
			      "tunnel %s can be used", name);
	else
		session_event(s, EVENT_USABLE, name, details, LOG_LEVEL_DEBUG,
			      "tunnel %s cannot be used: %s", name, reason);
	session_hooks_note(s, tunnel, use == USE_YES, reason);
}

/* Whether the tunnel can be used now, and tells when that is new. */
static void judge(struct session *s, const struct conf_tunnel *tunnel, struct session_tunnel *t)
{
	struct dp_keepalive k = {.state = KEEPALIVE_OFF};
	enum session_use use = t->use;
	char silence[128];
	const char *reason = t->reason;
	if (s->dp && dp_tunnel_keepalive(s->dp, tunnel->name, &k) != 0)
		k.state = KEEPALIVE_OFF;
	if (t->state != SESSION_UP) {
		use = USE_NO;
	} else if (!keepalive_carrier((uint8_t)k.state)) {
		use = USE_NO;
		status_silence(&k, silence, sizeof silence);
		reason = silence;
	} else if (k.state != KEEPALIVE_UNKNOWN) {
		use = USE_YES;
	}
	if (use == t->use)
		return;
	t->use = use;
	tell_use(s, tunnel, use, reason);
}

/* The tunnel of that name in s->conf, NULL when there is none; *hint is where it is looked for
 * first, since two configurations mostly have the same tunnels in the same order. */
static struct session_tunnel *find_old(const struct session *s, const char *name, size_t *hint)
{
	size_t count = s->conf && s->tunnels ? s->conf->tunnel_count : 0;
	for (size_t n = 0; n < count; n++) {
		size_t i = (*hint + n) % count;
		if (strcmp(s->conf->tunnels[i].name, name) != 0)
			continue;
		*hint = i + 1;
		return &s->tunnels[i];
	}
	return NULL;
}

static void tell_removed(struct session *s, const struct conf_tunnel *tunnel,
			 const struct session_tunnel *t)
{
	const char *name = tunnel->name;
	session_event(s, EVENT_STATE, name,
		      json_pack("{s:s, s:s}", "state", "removed", "reason", ""), LOG_LEVEL_DEBUG,
		      "tunnel %s is removed", name);
	if (t->use == USE_YES)
		tell_use(s, tunnel, USE_NO, "it is removed");
}

/* Those of s->conf that `conf` does not have. */
static void tell_all_removed(struct session *s, const struct conf *conf)
{
	size_t hint = 0, count = s->conf && s->tunnels ? s->conf->tunnel_count : 0;
	for (size_t i = 0; i < count; i++) {
		const char *name = s->conf->tunnels[i].name;
		bool found = false;
		for (size_t n = 0; conf && n < conf->tunnel_count && !found; n++) {
			size_t k = (hint + n) % conf->tunnel_count;
			found = strcmp(conf->tunnels[k].name, name) == 0;
			if (found)
				hint = k + 1;
		}
		if (!found)
			tell_removed(s, &s->conf->tunnels[i], &s->tunnels[i]);
	}
}

static bool same_place(const struct dp_params *a, const struct dp_params *b)
{
	return addr_equal(&a->remote, &b->remote) && a->remote_port == b->remote_port;
}

static void tell_change(struct session *s, const struct step_tunnel *step)
{
	const struct dp_params *old = step->old_params, *now = step->params;
	char from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE];
	if (now->nat_any && now->remote.family != IP_NONE && !same_place(old, now)) {
		session_event(s, EVENT_PEER, now->name,
			      json_pack("{s:s, s:s, s:i}", "old", addr_format(&old->remote, from),
					"new", addr_format(&now->remote, to), "port",
					(int)now->remote_port),
			      LOG_LEVEL_INFO, "tunnel %s: the peer has proved to be at %s port %u",
			      now->name, to, now->remote_port);
	} else if (!addr_equal(&old->remote, &now->remote) ||
		   !addr_equal(&old->local, &now->local)) {
		bool local = addr_equal(&old->remote, &now->remote);
		addr_format(local ? &old->local : &old->remote, from);
		addr_format(local ? &now->local : &now->remote, to);
		session_event(s, local ? EVENT_LOCAL : EVENT_PEER, now->name,
			      json_pack("{s:s, s:s}", "old", from, "new", to), LOG_LEVEL_INFO,
			      "tunnel %s: the %s address was %s and is %s", now->name,
			      local ? "local" : "peer's", from, to);
	} else if (old->path_mtu != now->path_mtu) {
		session_event(s, EVENT_PATH_MTU, now->name,
			      json_pack("{s:i, s:i, s:i}", "old", (int)old->path_mtu, "new",
					(int)now->path_mtu, "mtu", (int)now->mtu),
			      LOG_LEVEL_INFO,
			      "tunnel %s: the path carries packets of %u octets, before %u",
			      now->name, now->path_mtu, old->path_mtu);
	}
}

static void tell_changes(struct session *s, const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if ((plan->steps[i].kind == STEP_TUNNEL_CHANGE ||
		     plan->steps[i].kind == STEP_PEER_CHANGE) &&
		    plan->steps[i].tunnel.old_params)
			tell_change(s, &plan->steps[i].tunnel);
}

int tunnels_note(struct session *s, const struct conf *conf, const struct pass *pass)
{
	struct session_tunnel *now = calloc(conf->tunnel_count + 1, sizeof *now);
	size_t hint = 0;
	if (!now)
		return -ENOMEM;
	if (conf != s->conf)
		tell_all_removed(s, conf);
	tell_changes(s, &pass->plan);
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const char *name = conf->tunnels[i].name;
		const struct session_tunnel *old = find_old(s, name, &hint);
		now[i] = look(s, pass, i);
		if (old)
			now[i].use = old->use;
		if (!old || old->state != now[i].state || strcmp(old->reason, now[i].reason) != 0)
			tell_state(s, name, old, &now[i]);
		judge(s, &conf->tunnels[i], &now[i]);
	}
	free(s->tunnels);
	s->tunnels = now;
	return 0;
}

/* The tunnel in whose section FILE:LINE, the beginning of a refusal, lies; NULL: in none. */
static struct session_tunnel *refused_tunnel(struct session *s, const char *refusal)
{
	const struct conf_tunnel *best = NULL;
	for (size_t i = 0; i < s->conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &s->conf->tunnels[i];
		size_t len = strlen(t->at.file);
		if (strncmp(refusal, t->at.file, len) != 0 || refusal[len] != ':' ||
		    atoi(refusal + len + 1) < t->at.line)
			continue;
		if (!best || best->at.line < t->at.line)
			best = t;
	}
	return best ? &s->tunnels[best - s->conf->tunnels] : NULL;
}

void tunnels_note_refusals(struct session *s, const struct pass *pass)
{
	struct session_tunnel *old = s->tunnels;
	s->tunnels = calloc(s->conf->tunnel_count + 1, sizeof *old);
	if (!s->tunnels) {
		s->tunnels = old;
		return;
	}
	for (size_t i = 0; i < s->conf->tunnel_count; i++) {
		s->tunnels[i] = look(s, pass, i);
		s->tunnels[i].use = old[i].use;
	}
	for (size_t k = 0; k < pass->plan.refusal_count; k++) {
		struct session_tunnel *t = refused_tunnel(s, pass->plan.refusals[k]);
		if (!t)
			continue;
		t->state = SESSION_FAILED;
		snprintf(t->reason, sizeof t->reason, "%s", pass->plan.refusals[k]);
	}
	for (size_t i = 0; i < s->conf->tunnel_count; i++) {
		const char *name = s->conf->tunnels[i].name;
		struct session_tunnel *t = &s->tunnels[i];
		if (old[i].state != t->state || strcmp(old[i].reason, t->reason) != 0)
			tell_state(s, name, &old[i], t);
		judge(s, &s->conf->tunnels[i], t);
	}
	free(old);
}

/* null until something was measured. */
static json_t *measured(uint32_t us)
{
	return us ? json_integer(us) : json_null();
}

/* What the keepalive has found, for a reader who knows nothing else. */
static void tell_verdict(struct session *s, const char *name, const struct dp_keepalive *k)
{
	bool gone = k->state == KEEPALIVE_DOWN;
	json_t *details = json_pack(
		"{s:s, s:o, s:I, s:o, s:o, s:I}", "state", status_keepalive_names[k->state],
		"since", event_time(k->since_ns), "unanswered", (json_int_t)k->unanswered, "rtt_us",
		measured(k->rtt_us), "jitter_us", measured(k->jitter_us), "loss_permille",
		(json_int_t)k->loss_permille);
	session_event(s, EVENT_KEEPALIVE, name, details, gone ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
		      "tunnel %s: the peer %s", name,
		      gone			   ? "does not answer keepalives"
		      : k->state == KEEPALIVE_HOLD ? "answers again, and has to go on for a while"
						   : "answers keepalives");
}

void tunnels_note_verdict(struct session *s, const char *name)
{
	struct dp_keepalive k;
	const struct conf_tunnel *tunnel = s->conf ? conf_find_tunnel(s->conf, name) : NULL;
	if (!tunnel || !s->tunnels || dp_tunnel_keepalive(s->dp, name, &k) != 0)
		return;
	session_names_silent(s, tunnel, k.state == KEEPALIVE_DOWN);
	if (k.state == KEEPALIVE_OFF || k.state == KEEPALIVE_UNKNOWN)
		return;
	tell_verdict(s, name, &k);
	judge(s, tunnel, &s->tunnels[tunnel - s->conf->tunnels]);
}

void tunnels_note_down(struct session *s)
{
	tell_all_removed(s, NULL);
}
