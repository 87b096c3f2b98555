/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of systems, comments and notes. */
#include "ctl/peer/print.h"

#include <stdarg.h>
#include <string.h>

static const struct peer_system {
	const char *name;
	const char *comment; /* what begins a comment line */
	peer_print_fn *print;
	bool udp; /* it can have GRE in UDP */
} systems[] = {
	{"gretel", "#", peer_for_gretel, true},
	{"iproute2", "#", peer_for_iproute2, true},
	{"systemd-networkd", "#", peer_for_networkd},
	{"netplan", "#", peer_for_netplan},
	{"cisco-ios", "!", peer_for_cisco},
	{"mikrotik", "#", peer_for_mikrotik},
	{"vyos", "#", peer_for_vyos},
	{"junos", "#", peer_for_junos},
	{"huawei", "#", peer_for_huawei},
	{"openbsd", "#", peer_for_openbsd},
	{"fortios", "#", peer_for_fortios},
};

#define SYSTEMS (sizeof systems / sizeof systems[0])

const struct peer_system *peer_find_system(const char *name)
{
	for (size_t i = 0; i < SYSTEMS; i++)
		if (strcmp(name, systems[i].name) == 0)
			return &systems[i];
	return NULL;
}

void peer_list_systems(FILE *out)
{
	for (size_t i = 0; i < SYSTEMS; i++)
		fprintf(out, "%s%s", i ? ", " : "", systems[i].name);
}

void peer_say(const struct peer_out *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(out->out, "%s ", out->system->comment);
	vfprintf(out->out, format, args);
	fputc('\n', out->out);
	va_end(args);
}

void peer_note(const struct peer_out *out, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(out->out, "%s NOTE: %s\n", out->system->comment, text);
	fprintf(out->errors, "note: %s\n", text);
}

void peer_line(const struct peer_out *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(out->out, format, args);
	fputc('\n', out->out);
	va_end(args);
}

const char *peer_prefix(const struct ip_prefix *prefix, char buf[PREFIX_TEXT_SIZE])
{
	if (prefix->len == addr_size(prefix->addr.family) * 8)
		return addr_format(&prefix->addr, buf);
	return prefix_format(prefix, buf);
}

const char *peer_local(const struct conf_tunnel *tunnel, char buf[ADDR_TEXT_SIZE])
{
	return tunnel->local.family == IP_NONE ? "PEER-ADDRESS" : addr_format(&tunnel->local, buf);
}

const char *peer_remote(const struct conf_tunnel *tunnel, char buf[ADDR_TEXT_SIZE])
{
	return tunnel->remote.family == IP_NONE ? "OUR-ADDRESS" : addr_format(&tunnel->remote, buf);
}

bool peer_over6(const struct conf_tunnel *tunnel)
{
	return tunnel->local.family == IP_V6 || tunnel->remote.family == IP_V6;
}

unsigned peer_keepalive_seconds(const struct conf_tunnel *tunnel)
{
	return (tunnel->keepalive_interval_ms + 999) / 1000;
}

void peer_note_devices(const struct peer_view *view, const struct peer_out *out)
{
	const struct conf_forward *forward = &view->conf->forward;
	const struct conf_tunnel *t = view->tunnel;

	if (t->bind[0])
		peer_note(out, "%s is our device towards the peer: write the peer's towards us",
			  t->bind);
	if (t->bridge[0])
		peer_note(out, "%s is our bridge: write the name of the peer's", t->bridge);
	for (size_t i = 0; i < forward->snat_count; i++)
		if (strcmp(forward->snats[i].out, t->name) != 0)
			peer_note(out,
				  "%s is our device towards our hosts: write the peer's towards "
				  "its own",
				  forward->snats[i].out);
}

static void note_ends(const struct peer_view *view, const struct peer_out *out)
{
	bool gretel = out->system->print == peer_for_gretel;

	if (view->tunnel->nat && view->tunnel->local.family == IP_NONE)
		peer_note(out,
			  "the peer is behind a NAT: write its device that leads here instead of "
			  "address-of DEVICE");
	else if (view->tunnel->local.family == IP_NONE)
		peer_note(out, "the peer has a name here: write its outer %s instead of %s",
			  gretel ? "address, or the device that has it," : "address",
			  gretel ? "address-of DEVICE" : "PEER-ADDRESS");
	if (view->tunnel->remote.family == IP_NONE && !view->tunnel->remote_any)
		peer_note(out,
			  "our own outer address is that of a device, and may change: write %s "
			  "instead of %s",
			  gretel ? "a name of ours, or the address," : "it",
			  gretel ? "this-site.invalid" : "OUR-ADDRESS");
}

/* Questions that only their own kind sends back, by routing what is inside them. */
static void note_form(const struct peer_view *view, const struct peer_out *out)
{
	static const struct {
		enum keepalive_form form;
		const char *name, *system;
	} forms[] = {
		{KEEPALIVE_CISCO_CMD, "cisco-cmd", "cisco-ios"},
		{KEEPALIVE_HUAWEI, "huawei", "huawei"},
	};
	const struct conf_tunnel *t = view->tunnel;

	if (!t->keepalive_interval_ms || out->system->print == peer_for_gretel)
		return;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (t->keepalive_form == forms[i].form &&
		    strcmp(out->system->name, forms[i].system) != 0)
			peer_note(out,
				  "questions of the form %s are not sent back there: write "
				  "keepalive-form = auto here",
				  forms[i].name);
}

static void print_notes(const struct peer_view *view, const struct peer_out *out)
{
	const char *text = view->notes;

	while (text && *text) {
		size_t len = strcspn(text, "\n");

		peer_note(out, "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

bool peer_can_print(const struct peer_system *system, const struct conf_tunnel *tunnel)
{
	bool common = tunnel->mode == MODE_GRE || tunnel->mode == MODE_GRETAP;

	return (common && !tunnel->nat) || system->print == peer_for_gretel;
}

void peer_print(const struct peer_view *view, const struct peer_system *system, FILE *out,
		FILE *errors)
{
	const struct peer_out target = {out, errors, system};
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE];

	if (system->print == peer_for_iproute2)
		fputs("#!/bin/sh\n", out);
	peer_say(&target, "Tunnel %s at %s, the other end of the one that %s has.",
		 view->tunnel->name, peer_local(view->tunnel, local),
		 peer_remote(view->tunnel, remote));
	peer_say(&target, "Printed by \"gretel peer %s --for %s\".", view->tunnel->name,
		 system->name);
	print_notes(view, &target);
	note_ends(view, &target);
	note_form(view, &target);
	if (view->tunnel->udp_port && !system->udp)
		peer_note(&target,
			  "GRE in UDP is not known of %s: this tunnel cannot be made there",
			  system->name);
	else
		system->print(view, &target);
}
