/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Linux kernel of the peer: which module, which sysctls, and the rules as a table of nftables. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "ctl/peer/print.h"

const char *linux_kind(const struct conf_tunnel *tunnel)
{
	bool v6 = peer_over6(tunnel);

	if (tunnel->mode == MODE_GRETAP)
		return v6 ? "ip6gretap" : "gretap";
	return v6 ? "ip6gre" : "gre";
}

bool linux_answers(const struct peer_view *view)
{
	const struct conf_tunnel *t = view->tunnel;

	return t->keepalive_interval_ms && t->mode == MODE_GRE && t->probe.family == IP_NONE;
}

bool linux_forwards4(const struct peer_view *view)
{
	return (view->forward && view->inside4) ||
	       (linux_answers(view) && !peer_over6(view->tunnel));
}

bool linux_forwards6(const struct peer_view *view)
{
	return (view->forward && view->inside6) ||
	       (linux_answers(view) && peer_over6(view->tunnel));
}

uint32_t linux_mark(const struct peer_view *view)
{
	return (view->table - PEER_TABLE) << PEER_MARK_SHIFT;
}

bool linux_returns(const struct peer_view *view, uint8_t family)
{
	return view->return_path && (family == IP_V6 ? view->inside6 : view->inside4);
}

bool linux_lacks_default(const struct peer_view *view, uint8_t family)
{
	const struct conf_tunnel *t = view->tunnel;

	for (size_t i = 0; i < t->route_count; i++)
		if (t->routes[i].table == view->table && t->routes[i].to.addr.family == family)
			return false;
	return linux_returns(view, family);
}

const char *linux_table(const struct conf_tunnel *tunnel, char buf[IFNAMSIZ + 8])
{
	snprintf(buf, IFNAMSIZ + 8, "peer_%.*s", IFNAMSIZ - 1, tunnel->name);
	for (char *c = buf; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	return buf;
}

static bool has_mss(const struct peer_view *view)
{
	return (view->mss4 && view->inside4) || (view->mss6 && view->inside6);
}

bool linux_has_rules(const struct peer_view *view)
{
	const struct conf_forward *forward = &view->conf->forward;

	return has_mss(view) || forward->allow_count || forward->snat_count || view->return_path;
}

static const char *family_word(uint8_t family)
{
	return family == IP_V6 ? "ip6" : "ip";
}

/* "ip saddr 10.0.0.0/8 ", or nothing for a prefix that everything matches. */
static void print_match(FILE *out, const char *field, const struct ip_prefix *prefix)
{
	char text[PREFIX_TEXT_SIZE];

	if (prefix->len)
		fprintf(out, "%s %s %s ", family_word(prefix->addr.family), field,
			peer_prefix(prefix, text));
}

static void print_pair(FILE *out, const struct ip_prefix *from, const struct ip_prefix *to)
{
	fprintf(out, "\t\t");
	if (!from->len && !to->len)
		fprintf(out, "meta nfproto ipv%c ", from->addr.family == IP_V6 ? '6' : '4');
	print_match(out, "saddr", from);
	print_match(out, "daddr", to);
	fprintf(out, "accept\n");
}

/* Questions of the form "inside" are between the inner addresses. */
static void print_inside(const struct peer_view *view, FILE *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char local[ADDR_TEXT_SIZE], far[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < view->far_count; i++) {
		const struct ip_addr *ours = &t->addresses[i].local.addr;
		const char *word = family_word(ours->family);

		if (view->far[i].family != IP_NONE)
			fprintf(out,
				"\t\tiifname \"%s\" meta l4proto 47 %s saddr %s %s daddr %s "
				"accept\n",
				t->name, word, addr_format(ours, local), word,
				addr_format(&view->far[i], far));
	}
}

static void print_keepalive(const struct peer_view *view, FILE *out)
{
	const struct conf_tunnel *t = view->tunnel;
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];
	const char *word = family_word(peer_over6(t) ? IP_V6 : IP_V4);

	if (t->keepalive_form == KEEPALIVE_INSIDE) {
		print_inside(view, out);
		return;
	}

	fprintf(out, "\t\tiifname \"%s\" meta l4proto 47 %s saddr %s %s daddr %s accept\n", t->name,
		word, peer_local(t, local), word, peer_remote(t, remote));
}

/* The other end's hosts come under its inner address, and are translated once more. */
static void print_hidden(const struct peer_view *view, FILE *out)
{
	const struct conf_forward *forward = &view->conf->forward;

	for (size_t i = 0; i < forward->snat_count; i++) {
		const struct conf_snat *snat = &forward->snats[i];

		if (strcmp(snat->out, view->tunnel->name) == 0)
			continue;
		fprintf(out, "\t\tiifname \"%s\" ", view->tunnel->name);
		print_match(out, "saddr", &snat->from);
		fprintf(out, "oifname \"%s\" accept\n", snat->out);
	}
}

static void print_forward(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_forward *forward = &view->conf->forward;
	const char *name = view->tunnel->name;

	if (!forward->allow_count)
		return;
	peer_say(out, "What may pass into and out of the tunnel; nothing else is judged.");
	fprintf(out->out,
		"\tchain forward {\n\t\ttype filter hook forward priority 0; policy accept;\n"
		"\t\tiifname \"%s\" goto judge\n\t\toifname \"%s\" goto judge\n\t}\n"
		"\tchain judge {\n\t\tct state established,related accept\n",
		name, name);
	if (linux_answers(view))
		print_keepalive(view, out->out);
	print_hidden(view, out->out);
	for (size_t i = 0; i < forward->allow_count; i++) {
		const struct conf_allow *allow = &forward->allows[i];

		print_pair(out->out, &allow->from, &allow->to);
		if (allow->both)
			print_pair(out->out, &allow->to, &allow->from);
	}
	fprintf(out->out, "\t\tcounter drop\n\t}\n");
}

static void print_clamp(const struct peer_view *view, FILE *out, const char *direction, char family)
{
	fprintf(out,
		"\t\t%s \"%s\" meta nfproto ipv%c tcp flags & (syn|rst) == syn "
		"tcp option maxseg size set %u\n",
		direction, view->tunnel->name, family,
		(unsigned)(family == '4' ? view->mss4 : view->mss6));
}

static void print_mss(const struct peer_view *view, const struct peer_out *out)
{
	static const char *const directions[] = {"iifname", "oifname"};

	if (!has_mss(view))
		return;
	peer_say(out, "TCP agrees on segments that fit, in both directions.");
	fprintf(out->out,
		"\tchain mss {\n\t\ttype filter hook forward priority -150; policy accept;\n");
	for (size_t i = 0; i < 2; i++) {
		if (view->mss4 && view->inside4)
			print_clamp(view, out->out, directions[i], '4');
		if (view->mss6 && view->inside6)
			print_clamp(view, out->out, directions[i], '6');
	}
	fprintf(out->out, "\t}\n");
}

static void print_nat(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_forward *forward = &view->conf->forward;

	if (!forward->snat_count)
		return;
	peer_say(out, "Who leaves under another address.");
	fprintf(out->out, "\tchain postrouting {\n\t\ttype nat hook postrouting priority 100; "
			  "policy accept;\n");
	for (size_t i = 0; i < forward->snat_count; i++) {
		const struct conf_snat *snat = &forward->snats[i];

		fprintf(out->out, "\t\t");
		if (!snat->from.len)
			fprintf(out->out, "meta nfproto ipv%c ",
				snat->from.addr.family == IP_V6 ? '6' : '4');
		print_match(out->out, "saddr", &snat->from);
		fprintf(out->out, "oifname \"%s\" masquerade\n", snat->out);
	}
	fprintf(out->out, "\t}\n");
}

static void print_return_path(const struct peer_view *view, const struct peer_out *out)
{
	const char *name = view->tunnel->name;
	uint32_t mark = linux_mark(view), mask = PEER_MARK_MASK;

	if (!view->return_path)
		return;
	peer_say(out,
		 "Connections that came in by the tunnel are marked, their answers go by table "
		 "%" PRIu32 ". Other bits of marks are left alone.",
		 view->table);
	fprintf(out->out,
		"\tchain mark_in {\n\t\ttype filter hook prerouting priority -150; policy accept;\n"
		"\t\tiifname \"%s\" ct state new "
		"ct mark set ct mark and 0x%08" PRIx32 " or 0x%08" PRIx32 "\n"
		"\t\tiifname != \"%s\" ct mark and 0x%08" PRIx32 " == 0x%08" PRIx32
		" meta mark set meta mark and 0x%08" PRIx32 " or 0x%08" PRIx32 "\n\t}\n"
		"\tchain mark_out {\n\t\ttype route hook output priority -150; policy accept;\n"
		"\t\tct mark and 0x%08" PRIx32 " == 0x%08" PRIx32
		" meta mark set meta mark and 0x%08" PRIx32 " or 0x%08" PRIx32 "\n\t}\n",
		name, ~mask, mark, name, mask, mark, ~mask, mark, mask, mark, ~mask, mark);
}

void linux_rules(const struct peer_view *view, const struct peer_out *out, const char *table)
{
	peer_say(out, "Added first so that it can be deleted; all of it is one transaction.");
	peer_line(out, "add table inet %s", table);
	peer_line(out, "delete table inet %s", table);
	peer_line(out, "table inet %s {", table);
	print_forward(view, out);
	print_mss(view, out);
	print_nat(view, out);
	print_return_path(view, out);
	peer_line(out, "}");
}

void linux_notes(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_tunnel *t = view->tunnel;

	peer_note_devices(view, out);
	if (!t->ecn)
		peer_note(out, "Linux always carries congestion marks over: here ecn = no");
	if (t->keepalive_interval_ms && t->mode == MODE_GRETAP && t->probe.family == IP_NONE)
		peer_note(out,
			  "Linux does not send keepalives back out of a gretap: leave keepalive "
			  "out here");
	if (t->df == DF_CLEAR && peer_over6(t))
		peer_note(out, "Linux does not fragment outer IPv6 packets: here df = clear");
}
