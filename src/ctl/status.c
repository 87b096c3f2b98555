/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/conf_parse.h"
#include "ctl/event.h"
#include "ctl/session.h"
#include "ctl/spreading.h"
#include "proto/drop.h"

const char *const session_state_names[] = {
	[SESSION_UP] = "up", [SESSION_WAITING] = "waiting", [SESSION_FAILED] = "failed"};

static json_t *drops_json(const uint64_t drops[DROP_REASON_COUNT])
{
	json_t *object = json_object();
	for (int i = DROP_NONE + 1; i < DROP_REASON_COUNT; i++)
		json_object_set_new(object, drop_name((enum drop_reason)i),
				    json_integer((json_int_t)drops[i]));
	return object;
}

static json_t *key_json(const struct conf_key *key)
{
	return key->present ? json_integer(key->value) : json_null();
}

/* null: GRE goes directly in IP. */
static json_t *port_json(uint16_t port)
{
	return port ? json_integer(port) : json_null();
}

/* Milliseconds since a moment of CLOCK_MONOTONIC; null for never. */
static json_t *age_json(uint64_t ns)
{
	if (ns == 0)
		return json_null();
	uint64_t now = clock_now_ns();
	return json_integer(now > ns ? (json_int_t)((now - ns) / 1000000u) : 0);
}

const char *const status_keepalive_names[] = {[KEEPALIVE_OFF] = "off",
					      [KEEPALIVE_UNKNOWN] = "unknown",
					      [KEEPALIVE_UP] = "up",
					      [KEEPALIVE_DOWN] = "down",
					      [KEEPALIVE_HOLD] = "hold"};

/* What is asked: the form, or what AUTO has come to. */
static const char *form_name(const struct dp_keepalive *k)
{
	return k->icmp ? "icmp" : conf_forms[k->form];
}

/* null: nothing was measured. */
static json_t *measured_json(const struct dp_keepalive *k, uint32_t value)
{
	return k->rtt_us ? json_integer(value) : json_null();
}

static json_t *keepalive_json(const struct dp_keepalive *k, const struct dp_counters *c)
{
	return json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I}", "state",
		status_keepalive_names[k->state], "form", form_name(k), "sent",
		(json_int_t)c->keepalives_sent, "received", (json_int_t)c->keepalives_received,
		"unanswered", (json_int_t)k->unanswered, "held", (json_int_t)k->held, "reflected",
		(json_int_t)c->keepalives_reflected, "returned", (json_int_t)c->probes_returned,
		"rtt_us", measured_json(k, k->rtt_us), "jitter_us", measured_json(k, k->jitter_us),
		"loss_permille", (json_int_t)k->loss_permille);
}

/* Since when, by the clock on the wall, the peer has been silent. */
void status_silence(const struct dp_keepalive *k, char *out, size_t size)
{
	time_t when = (time_t)(clock_wall_ns(k->since_ns) / CLOCK_SECOND_NS);
	struct tm tm;
	char text[sizeof "2000-01-01 00:00:00"] = "";

	if (k->state == KEEPALIVE_HOLD) {
		snprintf(out, size, "the peer answers again, held down for %u more answers",
			 k->held);
		return;
	}
	if (localtime_r(&when, &tm))
		strftime(text, sizeof text, "%F %T", &tm);
	snprintf(out, size, "no answer to %u keepalives since %s", k->unanswered, text);
}

/* Of a tunnel that is in place but whose peer is gone. */
static void set_down(json_t *object, const struct dp_keepalive *k)
{
	char reason[96];

	status_silence(k, reason, sizeof reason);
	json_object_set_new(object, "state", json_string("down"));
	json_object_set_new(object, "reason", json_string(reason));
}

static json_t *traffic_json(uint64_t packets, uint64_t bytes)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

/* What follows from the parameters that the lane has; absent while no lane has the tunnel. */
static void add_params(json_t *object, const struct dp_params *p)
{
	json_object_set_new(object, "mtu", json_integer(p->mtu));
	json_object_set_new(object, "path_mtu", json_integer(p->path_mtu));
	json_object_set_new(object, "mss4", json_integer(p->mss4));
	json_object_set_new(object, "mss6", json_integer(p->mss6));
}

/* "" while it is not known. */
static const char *known_text(const struct ip_addr *addr, char buf[ADDR_TEXT_SIZE])
{
	return addr->family == IP_NONE ? "" : addr_format(addr, buf);
}

/* null while it is open. */
static json_t *use_json(enum session_use use)
{
	return use == USE_OPEN ? json_null() : json_boolean(use == USE_YES);
}

/* Of a learned peer the port that its NAT gave it; else that of both ends. */
static uint16_t known_port(const struct conf_tunnel *t, const struct session_tunnel *now,
			   const struct dp_params *params)
{
	if (!t->remote_any)
		return t->udp_port;
	return params && now->remote.family != IP_NONE ? params->remote_port : 0;
}

static json_t *tunnel_json(const struct session *s, size_t index)
{
	const struct conf_tunnel *t = &s->conf->tunnels[index];
	const struct session_tunnel *now = &s->tunnels[index];
	const struct lane_ops *lane = lane_ops(s->lane);
	const struct dp_params *params = lane->params(lane->arg, t->name);
	struct dp_counters c = {0};
	struct dp_keepalive k = {.state = KEEPALIVE_OFF};
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE], why[256] = "";

	json_t *object =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", t->name, "state",
			  session_state_names[now->state], "reason", now->reason, "lane",
			  lanes_of(s->lanes, t->name, why, sizeof why), "lane_reason", why, "mode",
			  conf_mode_name(t->mode), "local", known_text(&now->local, local),
			  "remote", known_text(&now->remote, remote));
	json_object_set_new(object, "local_device",
			    t->local_device[0] ? json_string(t->local_device) : json_null());
	json_object_set_new(object, "remote_name",
			    t->remote_name ? json_string(t->remote_name) : json_null());
	json_object_set_new(object, "vrf", t->vrf[0] ? json_string(t->vrf) : json_null());
	json_object_set_new(object, "usable", use_json(now->use));
	json_object_set_new(object, "ikey", key_json(&t->ikey));
	json_object_set_new(object, "okey", key_json(&t->okey));
	json_object_set_new(object, "udp_port", port_json(t->udp_port));
	json_object_set_new(object, "gue", json_boolean(t->gue));
	json_object_set_new(object, "remote_any", json_boolean(t->remote_any));
	json_object_set_new(object, "remote_port", port_json(known_port(t, now, params)));
	if (params)
		add_params(object, params);
	/* Without counters in the lane all are zero: nothing has passed. */
	if (dp_tunnel_counters(s->dp, t->name, &c) != 0)
		c = (struct dp_counters){0};
	if (dp_tunnel_keepalive(s->dp, t->name, &k) == 0 && now->state == SESSION_UP &&
	    !keepalive_carrier((uint8_t)k.state))
		set_down(object, &k);
	json_object_set_new(object, "rx", traffic_json(c.rx_packets, c.rx_bytes));
	json_object_set_new(object, "tx", traffic_json(c.tx_packets, c.tx_bytes));
	json_object_set_new(object, "keepalive", keepalive_json(&k, &c));
	json_object_set_new(object, "rx_restarts", json_integer((json_int_t)c.rx_restarts));
	json_object_set_new(object, "tx_cut", json_integer((json_int_t)c.tx_cut));
	json_object_set_new(object, "last_rx_ms", age_json(c.last_rx_ns));
	json_object_set_new(object, "last_rx_flags", json_integer((json_int_t)c.last_rx_gre >> 16));
	json_object_set_new(object, "last_rx_protocol",
			    json_integer((json_int_t)c.last_rx_gre & 0xffff));
	json_object_set_new(object, "drops", drops_json(c.drops));
	return object;
}

static json_t *address_json(const struct ip_addr *addr)
{
	char text[ADDR_TEXT_SIZE];
	return json_string(addr->family == IP_NONE ? "" : addr_format(addr, text));
}

#define STRAYS_MAX 256

/* Kinds of packets that were not taken; each worker has its own records of them. */
static json_t *strays_json(const struct dp *dp)
{
	struct dp_stray strays[STRAYS_MAX];
	unsigned count = dp_strays(dp, strays, STRAYS_MAX);
	json_t *array = json_array();
	for (unsigned i = 0; i < count; i++) {
		const struct dp_stray *s = &strays[i];
		json_array_append_new(
			array, json_pack("{s:o, s:o, s:o, s:b, s:o, s:i, s:i, s:s, s:I, s:o, s:o}",
					 "remote", address_json(&s->remote), "local",
					 address_json(&s->local), "udp_port",
					 port_json(s->udp_port), "gue", (int)s->gue, "key",
					 s->has_key ? json_integer(s->key) : json_null(), "flags",
					 (int)s->flags, "protocol", (int)s->protocol, "reason",
					 drop_name(s->reason), "packets", (json_int_t)s->packets,
					 "first_ms", age_json(s->first_ns), "last_ms",
					 age_json(s->last_ns)));
	}
	return array;
}

static json_t *refusals_json(const struct dp *dp)
{
	struct dp_refusal refusals[STRAYS_MAX];
	unsigned count = dp_refusals(dp, refusals, STRAYS_MAX);
	json_t *array = json_array();
	for (unsigned i = 0; i < count; i++) {
		const struct dp_refusal *r = &refusals[i];
		json_array_append_new(
			array, json_pack("{s:o, s:o, s:i, s:i, s:I, s:o}", "remote",
					 address_json(&r->remote), "from", address_json(&r->from),
					 "type", (int)r->type, "code", (int)r->code, "packets",
					 (json_int_t)r->packets, "last_ms", age_json(r->last_ns)));
	}
	return array;
}

static json_t *repairs_json(const struct session *s)
{
	const struct repair *r = &s->repair;
	json_t *removed = r->last_removed ? json_deep_copy(r->last_removed) : json_array();
	json_t *age =
		r->steps ? json_integer((json_int_t)(uv_now(s->loop) - r->last_ms)) : json_null();

	return json_pack("{s:I, s:o, s:b, s:o}", "steps", (json_int_t)r->steps, "last_ms", age,
			 "fight", repair_fights(s), "removed", removed);
}

static json_t *spread_json(const struct session *s)
{
	struct spreading_told told;

	lanes_tell_spread(s->lanes, &told);
	return json_pack("{s:s, s:i, s:o, s:s}", "setting", told.setting, "cpus", (int)told.cpus,
			 "lost", told.lost < 0 ? json_null() : json_integer((json_int_t)told.lost),
			 "reason", told.reason);
}

static json_t *files_json(const struct conf *conf)
{
	json_t *array = json_array();
	for (size_t i = 0; i < conf->file_count; i++)
		json_array_append_new(array, json_string(conf->files[i]));
	return array;
}

/* Next hops of a multipoint tunnel that lead to no peer. */
static json_t *unresolved_json(const struct session *s, const struct conf_tunnel *t)
{
	struct dp_unresolved list[DP_UNRESOLVED_MAX];
	unsigned count = dp_tunnel_unresolved(s->dp, t->name, list, DP_UNRESOLVED_MAX);
	json_t *array = json_array();
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:o, s:I, s:o}", "next_hop",
						       address_json(&list[i].next_hop), "asked",
						       (json_int_t)list[i].asked, "last_ms",
						       age_json(list[i].last_ns)));
	return array;
}

/* A tunnel; of a multipoint one, with its peers. */
static json_t *whole_tunnel_json(const struct session *s, size_t index)
{
	const struct conf_tunnel *t = &s->conf->tunnels[index];
	json_t *object = tunnel_json(s, index), *peers;
	if (!t->peer_count)
		return object;
	peers = json_array();
	for (size_t i = index + 1; i < s->conf->tunnel_count; i++)
		if (s->conf->tunnels[i].hub == index + 1)
			json_array_append_new(peers, tunnel_json(s, i));
	json_object_set_new(object, "peers", peers);
	json_object_set_new(object, "unresolved", unresolved_json(s, t));
	return object;
}

/* By name a tunnel or a peer; else all, each peer with its tunnel. */
static bool is_asked_for(const struct conf_tunnel *t, const char *name)
{
	return name ? strcmp(name, t->name) == 0 : !t->hub;
}

json_t *status_json(const struct session *s, const char *name)
{
	if (!s->conf || (name && !conf_find_tunnel(s->conf, name)))
		return NULL;
	uint64_t stray[DROP_REASON_COUNT] = {0};
	json_t *tunnels = json_array();
	for (size_t i = 0; i < s->conf->tunnel_count; i++)
		if (is_asked_for(&s->conf->tunnels[i], name))
			json_array_append_new(tunnels, whole_tunnel_json(s, i));
	dp_stray_counters(s->dp, stray);
	uint64_t age = uv_now(s->loop) - s->started_ms;
	return json_pack(
		"{s:s, s:i, s:I, s:s, s:s?, s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:I, s:o, s:o}",
		"version", GRETEL_VERSION, "pid", (int)getpid(), "uptime_ms", (json_int_t)age,
		"run_dir", s->run_dir, "config", s->config, "files", files_json(s->conf), "workers",
		(int)dp_workers(s->dp), "reloads", (int)s->reloads, "tunnels", tunnels,
		"stray_drops", drops_json(stray), "strays", strays_json(s->dp), "refusals",
		refusals_json(s->dp), "stray_answers", (json_int_t)dp_stray_answers(s->dp),
		"repairs", repairs_json(s), "spread", spread_json(s));
}

json_t *status_snapshot(const struct session *s, const char *name)
{
	static const char *const counters[] = {"rx",	 "tx",	       "rx_restarts",
					       "tx_cut", "last_rx_ms", "drops"};
	if (!s->conf || (name && !conf_find_tunnel(s->conf, name)))
		return NULL;
	json_t *tunnels = json_array();
	for (size_t i = 0; i < s->conf->tunnel_count; i++) {
		if (name && strcmp(name, s->conf->tunnels[i].name) != 0)
			continue;
		json_t *object = tunnel_json(s, i);
		for (size_t k = 0; k < sizeof counters / sizeof counters[0]; k++)
			json_object_del(object, counters[k]);
		json_array_append_new(tunnels, object);
	}
	json_t *snapshot = event_object(EVENT_SNAPSHOT);
	json_object_set_new(snapshot, "version", json_string(GRETEL_VERSION));
	json_object_set_new(snapshot, "pid", json_integer(getpid()));
	json_object_set_new(snapshot, "tunnels", tunnels);
	return snapshot;
}
