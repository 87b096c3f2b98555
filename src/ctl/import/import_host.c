/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What else this machine does with the tunnels: it forwards, it has networks to forward between,
 * and somebody's rules name an interface. None of it is carried over by itself, because who may
 * talk to whom is for the reader to say; it becomes a suggestion.
 */
#include "ctl/import/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "os/nft.h"
#include "os/sysctl.h"

#define OUR_TABLE	 "inet gretel"
#define OLD_TABLES	 "/proc/net/ip_tables_names"
#define OLD_TABLES_LIMIT 4096
#define UNDERLAY_MAX	 64
#define CHAIN_NAME_SIZE	 64
#define RULE_TEXT_MAX	 200

struct view {
	struct import *import;
	uint32_t below[UNDERLAY_MAX]; /* links that outer packets leave by */
	size_t below_count;
};

static bool is_below(const struct view *view, uint32_t index)
{
	for (size_t i = 0; i < view->below_count; i++)
		if (view->below[i] == index)
			return true;
	return false;
}

static bool is_imported(const struct import *import, const char *device)
{
	for (size_t i = 0; i < import->tunnel_count; i++)
		if (strcmp(import->tunnels[i].gre.link.name, device) == 0)
			return true;
	return false;
}

static void find_below(struct view *view, struct nl *nl)
{
	const struct import *import = view->import;

	for (size_t i = 0; i < import->tunnel_count && view->below_count < UNDERLAY_MAX; i++) {
		const struct gre_link *gre = &import->tunnels[i].gre;
		struct route_way way;

		if (gre->remote.family != IP_NONE &&
		    route_find(nl, &gre->remote, &gre->local, gre->bind, &way) == 0)
			view->below[view->below_count++] = way.oif;
	}
}

static int take_lan(void *arg, const struct address_info *address)
{
	struct view *view = arg;
	struct import_lan lan = {.network = prefix_network(&address->local)};
	const struct ip_addr *addr = &address->local.addr;

	if (addr_is_loopback(addr) || addr_is_link_local(addr) || is_below(view, address->index) ||
	    address->peer.family != IP_NONE || address->local.len == addr_size(addr->family) * 8)
		return 0;
	if (if_indextoname(address->index, lan.device) && !is_imported(view->import, lan.device))
		import_add_lan(view->import, &lan);
	return 0;
}

static bool is_on(const char *path)
{
	char value[SYSCTL_VALUE_SIZE];

	return sysctl_read(path, value) == 0 && strcmp(value, "0") != 0;
}

/* The word behind `word` in a line like "chain forward {", when the line begins with it. */
static bool read_head(const char *line, size_t len, const char *word, char out[CHAIN_NAME_SIZE])
{
	size_t skip = strlen(word);

	if (len < skip + 3 || strncmp(line, word, skip) != 0 || line[len - 1] != '{')
		return false;
	snprintf(out, CHAIN_NAME_SIZE, "%.*s", (int)(len - skip - 2), line + skip);
	return true;
}

static bool names_a_tunnel(const struct import *import, const char *line, size_t len)
{
	char quoted[IFNAMSIZ + 2];

	for (size_t i = 0; i < import->tunnel_count; i++) {
		snprintf(quoted, sizeof quoted, "\"%s\"", import->tunnels[i].gre.link.name);
		if (memmem(line, len, quoted, strlen(quoted)))
			return true;
	}
	return false;
}

void import_find_rules(struct import *import, const char *listing)
{
	char table[CHAIN_NAME_SIZE] = "", chain[CHAIN_NAME_SIZE] = "";

	for (const char *line = listing; *line;) {
		size_t whole = strcspn(line, "\n"), indent = strspn(line, " \t");
		const char *text = line + indent;
		size_t len = indent < whole ? whole - indent : 0;

		line += whole + (line[whole] == '\n');
		if (read_head(text, len, "table ", table) || read_head(text, len, "chain ", chain))
			continue;
		if (strcmp(table, OUR_TABLE) != 0 && names_a_tunnel(import, text, len))
			import_note(import, &import->rules, "nft, table %s, chain %s: %.*s", table,
				    chain, (int)(len < RULE_TEXT_MAX ? len : RULE_TEXT_MAX), text);
	}
}

static void read_rules(struct import *import)
{
	struct nft *nft = NULL;
	char *listing = NULL;
	int err = nft_open(&nft);

	if (!err)
		err = nft_list_ruleset(nft, &listing);
	if (err)
		import_note(import, &import->rules, "the rules of nftables could not be read: %s",
			    strerror(-err));
	else
		import_find_rules(import, listing);
	free(listing);
	nft_close(nft);
}

/* Tables of the iptables from before nftables are not in nft's listing. */
static void read_old_tables(struct import *import)
{
	char *names = NULL;

	if (file_read(OLD_TABLES, OLD_TABLES_LIMIT, &names) == 0 && *names) {
		for (char *c = names; *c; c++)
			if (*c == '\n')
				*c = c[1] ? ' ' : 0;
		import_note(import, &import->rules,
			    "there are tables of the old iptables (%s): see iptables-legacy-save",
			    names);
	}
	free(names);
}

void import_host(struct import *import, struct nl *nl)
{
	struct view view = {.import = import};

	import->forwards_v4 = is_on("net/ipv4/ip_forward");
	import->forwards_v6 = is_on("net/ipv6/conf/all/forwarding");
	find_below(&view, nl);
	if (address_each(nl, take_lan, &view) != 0)
		import_note(import, &import->rules,
			    "the addresses of this machine could not be read");
	read_rules(import);
	read_old_tables(import);
}
