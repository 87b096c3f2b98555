/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs go onto every Ethernet device of this host that packets of the site can come in by or
 * leave by: those that are up, are no port of a bridge or a bond, and are none of our own. Not onto
 * one that has a netdev chain of nftables, which they would pass by.
 */
#include "ctl/lanes.h"

#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "ctl/actual.h"
#include "ctl/rules.h"
#include "ctl/session.h"
#include "dp/fast.h"

/* A transaction of somebody else's is often followed by another. */
#define RULES_QUIET_MS 200

static const char *const lane_names[] = {
	[FAST_LANE_USER] = "user", [FAST_LANE_TC] = "tc", [FAST_LANE_XDP] = "xdp"};

const char *lanes_of(const struct session *s, const char *name, char *why, unsigned size)
{
	int lane;

	if (!dp_fast(s->dp)) {
		snprintf(why, size, "%s", s->why_no_bpf ? s->why_no_bpf : "");
		return lane_names[FAST_LANE_USER];
	}
	lane = dp_tunnel_lane(s->dp, name, why, size);
	if (lane >= 0)
		return lane_names[lane];
	snprintf(why, size, "it is not in place");
	return lane_names[FAST_LANE_USER];
}

/* Devices. */

/* Whether the device is named in a line as a word. */
static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);
	const char *at = text;

	while ((at = strstr(at, word))) {
		bool begins = at == text || strchr(" \",{", at[-1]);
		bool ends = at[length] == '\0' || strchr(" \",}\n", at[length]);

		if (begins && ends)
			return true;
		at += length;
	}
	return false;
}

static bool is_candidate(const struct actual *actual, const struct link_info *link)
{
	return link->type == ARPHRD_ETHER && link->flags & IFF_UP && !link->master &&
	       link->index < 1u << 24 && !actual_is_ours(actual, link);
}

/* Queueing disciplines that do not hold packets back on purpose. */
static bool is_plain_queue(const char *qdisc)
{
	static const char *const plain[] = {"", "noqueue", "mq", "fq_codel", "fq", "pfifo_fast",
					    "pfifo", "noop"};

	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (strcmp(qdisc, plain[i]) == 0)
			return true;
	return false;
}

/* Whether XDP makes it faster: a card of its own driver, without somebody who shapes. A veth, or a
 * guest's card, moves super-packets of 64 KiB without it and single packets with it. */
static void judge_xdp(const struct link_info *link, struct fast_device *device)
{
	char driver[32];

	link_driver(link->name, driver);
	if (!is_plain_queue(link->qdisc))
		snprintf(device->why_not_xdp, sizeof device->why_not_xdp,
			 "XDP would pass by its queueing discipline %s", link->qdisc);
	else if (link->kind[0])
		snprintf(device->why_not_xdp, sizeof device->why_not_xdp,
			 "XDP is no gain on a device of kind %s", link->kind);
	else if (strcmp(driver, "virtio_net") == 0 || !driver[0])
		snprintf(device->why_not_xdp, sizeof device->why_not_xdp,
			 "XDP is no gain with the driver %s", driver[0] ? driver : "(unknown)");
	else
		device->native = true;
}

static bool wants_xdp(const struct session *s)
{
	for (size_t i = 0; i < s->conf->tunnel_count; i++)
		if (s->conf->tunnels[i].lane == LANE_XDP)
			return true;
	return false;
}

static bool wants_lanes(const struct conf *conf)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (conf->tunnels[i].lane != LANE_USER)
			return true;
	return false;
}

static unsigned collect(const struct session *s, const struct actual *actual,
			struct fast_device devices[FAST_DEVICES_MAX])
{
	bool forced = wants_xdp(s);
	unsigned count = 0;

	for (size_t i = 0; i < actual->link_count && count < FAST_DEVICES_MAX; i++) {
		const struct link_info *link = &actual->links[i];
		struct fast_device *device = &devices[count];

		if (!is_candidate(actual, link) ||
		    (s->lanes.shadowed && has_word(s->lanes.shadowed, link->name)))
			continue;
		*device = (struct fast_device){
			.ifindex = link->index, .mtu = link->mtu, .forced = forced};
		memcpy(device->name, link->name, sizeof device->name);
		memcpy(device->mac, link->mac, sizeof device->mac);
		judge_xdp(link, device);
		count++;
	}
	return count;
}

void lanes_settle(struct session *s, const struct actual *actual)
{
	static struct fast_device devices[FAST_DEVICES_MAX];
	struct fast *fast = dp_fast(s->dp);
	unsigned count;

	if (!fast || !s->conf)
		return;
	if (!s->lanes.settled)
		fast_forget_others(fast);
	s->lanes.settled = true;
	count = wants_lanes(s->conf) ? collect(s, actual, devices) : 0;
	fast_devices(fast, devices, count);
	for (unsigned i = 0; i < count; i++)
		if (devices[i].why_not_tc[0])
			log_warn("the kernel lanes are not on %s", devices[i].why_not_tc);
}

/* Rules. */

/* Whether a base chain of this kind can keep a forwarded packet, or change it: all of everybody,
 * but for ours that exempts outer packets from tracking. */
static bool matters(const char *table, const char *chain, const char *line)
{
	static const char *const hooks[] = {"hook prerouting ", "hook forward ",
					    "hook postrouting "};
	bool ours = strcmp(table, "table " RULES_TABLE " {") == 0;

	if (ours && strcmp(chain, "chain raw_in {") == 0)
		return false;
	for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++)
		if (strstr(line, hooks[i]))
			return true;
	return false;
}

/* Reads a listing of all rules. What is said of devices goes to `shadowed`. */
static bool reads_stateless(char *text, FILE *shadowed)
{
	const char *table = "", *chain = "";
	bool stateless = true;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		line += strspn(line, "\t ");
		if (strncmp(line, "table ", 6) == 0)
			table = line;
		else if (strncmp(line, "chain ", 6) == 0)
			chain = line;
		else if (strncmp(line, "type ", 5) != 0)
			continue;
		else if (strstr(line, "hook ingress ") || strstr(line, "hook egress "))
			fprintf(shadowed, "%s\n", line);
		else if (matters(table, chain, line))
			stateless = false;
	}
	return stateless;
}

/* The tables of iptables, which nftables does not list. */
static bool has_old_tables(void)
{
	static const char *const files[] = {"/proc/net/ip_tables_names",
					    "/proc/net/ip6_tables_names"};
	char octet;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		FILE *file = fopen(files[i], "re");
		bool some = file && fread(&octet, 1, 1, file) == 1;

		if (file)
			fclose(file);
		if (some)
			return true;
	}
	return false;
}

static void look_at_rules(struct session *s)
{
	struct fast *fast = dp_fast(s->dp);
	char *text = NULL, *shadowed = NULL;
	bool stateless = false;
	size_t size;
	FILE *out;

	if (s->kernel.nft_error == 0 && nft_list_ruleset(s->kernel.nft, &text) != 0)
		return; /* it is not known: nothing without a connection */
	out = open_memstream(&shadowed, &size);
	if (out) {
		stateless = (!text || reads_stateless(text, out)) && !has_old_tables();
		fclose(out);
		free(s->lanes.shadowed);
		s->lanes.shadowed = shadowed;
	}
	free(text);
	fast_set_stateless(fast, stateless);
}

static void on_rules(uv_timer_t *timer)
{
	struct session *s = timer->data;
	char *before = s->lanes.shadowed ? strdup(s->lanes.shadowed) : NULL;

	look_at_rules(s);
	if (s->lanes.shadowed && (!before || strcmp(before, s->lanes.shadowed) != 0))
		repair_arm(s); /* settles the devices, too */
	free(before);
}

void lanes_note_rules(struct session *s)
{
	struct fast *fast = s->dp ? dp_fast(s->dp) : NULL;

	if (!fast || !s->lanes.opened)
		return;
	fast_set_stateless(fast, false);
	uv_timer_start(&s->lanes.rules, on_rules, RULES_QUIET_MS, 0);
}

void lanes_open(struct session *s)
{
	if (!dp_fast(s->dp))
		return;
	uv_timer_init(s->loop, &s->lanes.rules);
	s->lanes.rules.data = s;
	s->lanes.opened = true;
	look_at_rules(s);
	uv_timer_start(&s->lanes.rules, on_rules, RULES_QUIET_MS, 0);
}

void lanes_close(struct session *s)
{
	if (s->lanes.opened && !uv_is_closing((uv_handle_t *)&s->lanes.rules))
		uv_close((uv_handle_t *)&s->lanes.rules, NULL);
	s->lanes.opened = false;
	free(s->lanes.shadowed);
	s->lanes.shadowed = NULL;
}
