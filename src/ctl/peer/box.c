/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/peer/box.h"

#include <string.h>

struct field_words {
	const char *key, *plural;
	const char *both; /* the value that asks for both directions */
};

static void note_field(const struct peer_out *out, const struct box_limits *limits,
		       const struct field_words *words, enum box_field field, bool sent, bool asked)
{
	if ((!sent && !asked) || field == BOX_EACH)
		return;
	if (field == BOX_NEVER)
		peer_note(out, "%s has no %s for GRE: write %s = no here", limits->title,
			  words->plural, words->key);
	else if (sent != asked)
		peer_note(out, "%s has %s in both directions only: write %s = %s here",
			  limits->title, words->plural, words->key, words->both);
}

static void note_key(const struct conf_tunnel *t, const struct peer_out *out,
		     const struct box_limits *limits)
{
	bool same = t->ikey.present == t->okey.present && t->ikey.value == t->okey.value;

	if (!t->ikey.present && !t->okey.present)
		return;
	if (limits->key == BOX_NEVER)
		peer_note(out, "%s has no keys for GRE: leave key out here", limits->title);
	else if (limits->key == BOX_BOTH && !same)
		peer_note(out, "%s has one key for both directions: write key here, not ikey, okey",
			  limits->title);
}

static void note_outer_header(const struct conf_tunnel *t, const struct peer_out *out,
			      const struct box_limits *limits)
{
	static const char *const dfs[] = {"set", "copy", "clear"};
	char number[4];
	const bool known[] = {limits->df_set, limits->df_copy, limits->df_clear};

	snprintf(number, sizeof number, "%u", t->ttl);
	if (t->ttl_inherit ? !limits->ttl_inherit : !limits->ttl)
		peer_note(out, "%s cannot be told the outer TTL: here ttl = %s", limits->title,
			  t->ttl_inherit ? "inherit" : number);
	if (t->tos_inherit ? !limits->tos_inherit : t->tos && !limits->tos)
		peer_note(out, "%s cannot set the outer class of service like that: here tos = %s",
			  limits->title, t->tos_inherit ? "inherit" : "a number");
	if (!t->ecn)
		peer_note(out, "%s decides itself about congestion marks: here ecn = no",
			  limits->title);
	if (!peer_over6(t) && !known[t->df])
		peer_note(out, "%s cannot do df = %s as we do: large packets may fare differently",
			  limits->title, dfs[t->df]);
}

static void note_keepalive(const struct conf_tunnel *t, const struct peer_out *out,
			   const struct box_limits *limits)
{
	unsigned seconds = peer_keepalive_seconds(t);

	if (!t->keepalive_interval_ms || t->probe.family != IP_NONE)
		return;
	if (t->mode == MODE_GRETAP) {
		peer_note(out,
			  "%s does not send keepalives back out of Ethernet over GRE: leave "
			  "keepalive out here",
			  limits->title);
		return;
	}
	if (!limits->keepalive_max || (peer_over6(t) && !limits->keepalive6))
		peer_note(out, "%s sends no keepalives over %s of its own: only we ask",
			  limits->title, peer_over6(t) ? "IPv6" : "IPv4");
	else if (seconds > limits->keepalive_max)
		peer_note(out, "%s asks at least every %u seconds: here it is %u", limits->title,
			  limits->keepalive_max, seconds);
	else if (t->keepalive_interval_ms % 1000)
		peer_note(out, "%s counts whole seconds: it asks every %u s, we every %u ms",
			  limits->title, seconds, t->keepalive_interval_ms);
}

static void note_policy(const struct peer_view *view, const struct peer_out *out,
			const struct box_limits *limits)
{
	const struct conf_forward *forward = &view->conf->forward;
	char text[PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < view->source_count; i++)
		peer_note(out,
			  "hosts of %s reach everything through us: route them by their source on "
			  "%s",
			  peer_prefix(&view->sources[i], text), limits->title);
	if (view->return_path)
		peer_note(out, "clients of any address come in by the tunnel: the answers of the "
			       "published hosts have to leave by it");
	for (size_t i = 0; i < forward->snat_count; i++)
		if (!box_is_towards_us(view, &forward->snats[i]))
			peer_note(out,
				  "translate %s towards the peer's hosts, or let these have this "
				  "router as gateway",
				  peer_prefix(&forward->snats[i].from, text));
}

bool box_notes(const struct peer_view *view, const struct peer_out *out,
	       const struct box_limits *limits)
{
	static const struct field_words checksum = {"checksum", "checksums", "require"};
	static const struct field_words sequence = {"sequence", "sequence numbers", "yes"};
	const struct conf_tunnel *t = view->tunnel;

	if (t->mode == MODE_GRETAP && !limits->ethernet) {
		peer_note(out, "%s has no Ethernet over GRE: this tunnel cannot be made there",
			  limits->title);
		return false;
	}
	if (peer_over6(t) && !limits->outer6) {
		peer_note(out, "%s has no GRE over IPv6: this tunnel cannot be made there",
			  limits->title);
		return false;
	}
	note_key(t, out, limits);
	note_field(out, limits, &checksum, limits->checksum, view->csum_send, view->csum_require);
	note_field(out, limits, &sequence, limits->sequence, view->seq_send, view->seq_receive);
	note_outer_header(t, out, limits);
	note_keepalive(t, out, limits);
	note_policy(view, out, limits);
	return true;
}

unsigned box_keepalive(const struct peer_view *view, const struct box_limits *limits)
{
	const struct conf_tunnel *t = view->tunnel;
	unsigned seconds = peer_keepalive_seconds(t);

	if (t->mode == MODE_GRETAP || t->probe.family != IP_NONE ||
	    (peer_over6(t) && !limits->keepalive6))
		return 0;
	return seconds > limits->keepalive_max ? limits->keepalive_max : seconds;
}

static bool is_host_of(const struct ip_prefix *network, const struct ip_addr *addr)
{
	unsigned bits = addr_size(addr->family) * 8;
	struct ip_prefix base = prefix_network(network);
	struct ip_addr last = base.addr;

	if (!prefix_contains(&base, addr))
		return false;
	if (network->len + 1u >= bits)
		return true;
	for (unsigned i = network->len; i < bits; i++)
		last.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return !addr_equal(addr, &base.addr) && (addr->family == IP_V6 || !addr_equal(addr, &last));
}

struct ip_prefix box_network(const struct conf_address *address)
{
	struct ip_prefix network = address->local;

	if (address->peer.family == IP_NONE)
		return network;
	for (network.len--; network.len > 0; network.len--)
		if (is_host_of(&network, &address->local.addr) &&
		    is_host_of(&network, &address->peer))
			break;
	return network;
}

const char *box_mask(unsigned len, char buf[ADDR_TEXT_SIZE])
{
	struct ip_addr mask = {.family = IP_V4};

	for (unsigned i = 0; i < len; i++)
		mask.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return addr_format(&mask, buf);
}

const char *box_wildcard(unsigned len, char buf[ADDR_TEXT_SIZE])
{
	struct ip_addr mask = {.family = IP_V4};

	for (unsigned i = len; i < 32; i++)
		mask.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return addr_format(&mask, buf);
}

bool box_is_towards_us(const struct peer_view *view, const struct conf_snat *snat)
{
	return strcmp(snat->out, view->tunnel->name) == 0;
}

static bool is_same_end(const struct peer_view *view, size_t index, bool far,
			const struct ip_prefix *end)
{
	const struct peer_pair *pair = &view->pairs[index];

	return prefix_equal(far ? &pair->far : &pair->near, end);
}

bool box_is_new(const struct peer_view *view, size_t index, bool far)
{
	const struct peer_pair *pair = &view->pairs[index];
	const struct ip_prefix *end = far ? &pair->far : &pair->near;

	for (size_t i = 0; i < index; i++)
		if (is_same_end(view, i, true, end) || is_same_end(view, i, false, end))
			return false;
	return true;
}

bool box_keeps_no_state(const struct peer_view *view)
{
	for (size_t i = 0; i < view->pair_count; i++)
		if (!view->pairs[i].far_opens)
			return true;
	return false;
}

bool box_has_pairs(const struct peer_view *view, uint8_t family)
{
	for (size_t i = 0; i < view->pair_count; i++)
		if (view->pairs[i].far.addr.family == family)
			return true;
	return false;
}

bool box_masquerades(const struct peer_view *view, uint8_t family)
{
	const struct conf_forward *forward = &view->conf->forward;

	for (size_t i = 0; i < forward->snat_count; i++)
		if (forward->snats[i].from.addr.family == family &&
		    box_is_towards_us(view, &forward->snats[i]))
			return true;
	return false;
}
