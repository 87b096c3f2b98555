/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that every Linux has a use for: sysctl.d, a table of nftables, and a service to load it. */
#include "ctl/peer/print.h"

void linux_begin_file(const struct peer_out *out, const char *before, const char *name,
		      const char *after)
{
	fprintf(out->out, "\n### %s%s%s\n", before, name, after);
}

static void print_sysctl(const struct peer_view *view, const struct peer_out *out, bool accept)
{
	const char *name = view->tunnel->name;
	bool loose = view->return_path || linux_answers(view);

	if (!linux_forwards4(view) && !linux_forwards6(view) && !loose)
		return;
	linux_begin_file(out, "/etc/sysctl.d/90-", name, ".conf");
	if (linux_forwards4(view) || linux_forwards6(view))
		peer_say(out, "This machine forwards.");
	if (linux_forwards4(view))
		peer_line(out, "net/ipv4/ip_forward = 1");
	if (linux_forwards6(view)) {
		peer_note(out, "a device of the peer that has its IPv6 routes from router "
			       "advertisements needs accept_ra = 2 there, IPv6AcceptRA=yes with "
			       "networkd, accept-ra: true with netplan");
		peer_line(out, "net/ipv6/conf/all/forwarding = 1");
	}
	if (accept && linux_answers(view) && !peer_over6(view->tunnel)) {
		peer_say(out,
			 "Keepalives of the other end are packets with our own source address: "
			 "they are taken, and forwarded back.");
		peer_line(out, "net/ipv4/conf/%s/accept_local = 1", name);
	}
	if (!loose)
		return;
	peer_say(out, "Sources that are routed elsewhere are taken from the tunnel.");
	peer_line(out, "net/ipv4/conf/%s/rp_filter = %d", name, view->inside4 ? 2 : 0);
}

static void print_service(const struct peer_view *view, const struct peer_out *out)
{
	const char *name = view->tunnel->name;
	char table[IFNAMSIZ + 8];

	if (!linux_has_rules(view))
		return;
	linux_table(view->tunnel, table);
	linux_begin_file(out, "/etc/nftables-", name, ".conf");
	linux_rules(view, out, table);
	linux_begin_file(out, "/etc/systemd/system/nftables-", name, ".service");
	peer_say(out, "Loads the rules at boot; \"systemctl enable --now nftables-%s\".", name);
	peer_line(out,
		  "[Unit]\nBefore=network-pre.target\nWants=network-pre.target\n"
		  "DefaultDependencies=no\n\n"
		  "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
		  "ExecStart=/usr/sbin/nft -f /etc/nftables-%s.conf\n"
		  "ExecStop=/usr/sbin/nft delete table inet %s\n\n"
		  "[Install]\nWantedBy=sysinit.target",
		  name, table);
}

void linux_files(const struct peer_view *view, const struct peer_out *out, bool accept)
{
	print_sysctl(view, out, accept);
	print_service(view, out);
}
