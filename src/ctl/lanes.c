/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs go onto every Ethernet device of this host that packets of the site can come in by
 * or leave by: those that are up, are no port of a bridge or a bond, and are none of our own. Not
 * onto one that has a netdev chain of nftables, which they would pass by.
 */
#include "ctl/lanes.h"

#include <limits.h>
#include <malloc.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "ctl/actual.h"
#include "ctl/neighbours.h"
#include "ctl/rules.h"
#include "ctl/session.h"
#include "ctl/spreading.h"
#include "dp/fast.h"
#include "os/bpfattach.h"
#include "os/bpfload.h"
#include "os/bpfpins.h"
#include "os/netdev.h"
#include "os/watch.h"

/* A transaction of somebody else's is often followed by another. */
#define RULES_QUIET_MS 200
#define LISTENING_MS   500

struct lanes {
	uv_loop_t *loop;
	struct session *session; /* NULL: not joined yet */
	uv_timer_t rules;	 /* looks at the rules a moment after they have changed */
	uv_timer_t listening; /* says that changes are heard of, and looks for those that are not */
	uv_timer_t each_second; /* looks at the CPUs */
	bool old_tables;
	uv_async_t loaded; /* the thread is done */
	uv_thread_t thread;
	bool running; /* the thread, until it is joined */
	bool settled; /* what the last process has left is taken over, or gone */
	char *netdev; /* what netdev chains of nftables say of devices; NULL: nothing */
	struct neighbours neighbours;
	uint32_t flows;
	struct spreading spreading;
	char pins[PATH_MAX];
	struct bpf *bpf; /* NULL: not loaded, or see `why` */
	char why[BPF_WHY_SIZE];
};

static const char *const lane_names[] = {
	[FAST_LANE_USER] = "user", [FAST_LANE_TC] = "tc", [FAST_LANE_XDP] = "xdp"};

/* The lanes in the kernel; NULL: there are none, or not yet. */
static struct fast *fast_of(const struct lanes *lanes)
{
	return lanes && lanes->session && lanes->session->dp ? dp_fast(lanes->session->dp) : NULL;
}

const char *lanes_of(const struct lanes *lanes, const char *name, char *why, unsigned size)
{
	int lane;

	if (!fast_of(lanes)) {
		snprintf(why, size, "%s", lanes ? lanes->why : "");
		return lane_names[FAST_LANE_USER];
	}
	lane = dp_tunnel_lane(lanes->session->dp, name, why, size);
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
	static const char *const plain[] = {"",	  "noqueue",	"mq",	 "fq_codel",
					    "fq", "pfifo_fast", "pfifo", "noop"};

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
	if (strcmp(link->kind, "veth") == 0 && device->forced && !netdev_sends_xdp(link->index)) {
		device->forced = false;
		snprintf(device->why_not_xdp, sizeof device->why_not_xdp,
			 "the other end of this veth takes no frames of XDP (turn its GRO on)");
	} else if (!is_plain_queue(link->qdisc))
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

/* Which values `lane =` has in the file: bits 1 << enum conf_lane. */
static unsigned lanes_asked_for(const struct conf *conf)
{
	unsigned asked = 0;

	for (size_t i = 0; i < conf->tunnel_count; i++)
		asked |= 1u << conf->tunnels[i].lane;
	return asked;
}

static unsigned collect(const struct lanes *lanes, const struct actual *actual,
			struct fast_device devices[FAST_DEVICES_MAX])
{
	bool forced = lanes_asked_for(actual->conf) & 1u << LANE_XDP;
	unsigned count = 0;

	for (size_t i = 0; i < actual->link_count && count < FAST_DEVICES_MAX; i++) {
		const struct link_info *link = &actual->links[i];
		struct fast_device *device = &devices[count];

		if (!is_candidate(actual, link) ||
		    (lanes->netdev && has_word(lanes->netdev, link->name)))
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

static void on_second(uv_timer_t *timer)
{
	struct lanes *lanes = timer->data;
	struct fast *fast = fast_of(lanes);

	if (fast)
		spreading_look(&lanes->spreading, fast);
}

static void settle_spreading(struct lanes *lanes, struct fast *fast, enum conf_spread setting)
{
	if (!spreading_settle(&lanes->spreading, fast, setting))
		uv_timer_stop(&lanes->each_second);
	else if (!uv_is_active((uv_handle_t *)&lanes->each_second))
		uv_timer_start(&lanes->each_second, on_second, 0, SPREADING_MS);
}

void lanes_tell_spread(const struct lanes *lanes, struct spreading_told *out)
{
	static const struct spreading none;

	spreading_tell(lanes ? &lanes->spreading : &none, fast_of(lanes), out);
}

void lanes_settle(struct lanes *lanes, const struct actual *actual)
{
	static struct fast_device devices[FAST_DEVICES_MAX];
	struct fast *fast = fast_of(lanes);
	unsigned count;

	if (!fast || !actual->conf)
		return;
	if (!lanes->settled)
		fast_forget_others(fast);
	lanes->settled = true;
	count = lanes_asked_for(actual->conf) & ~(1u << LANE_USER) ? collect(lanes, actual, devices)
								   : 0;
	fast_devices(fast, devices, count);
	settle_spreading(lanes, fast, actual->conf->spread);
	for (size_t i = 0; i < actual->way_count; i++)
		dp_tunnel_way(lanes->session->dp, actual->conf->tunnels[i].name,
			      actual->ways[i].error ? 0 : actual->ways[i].way.oif);
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

static void look_at_rules(struct lanes *lanes)
{
	const struct kernel *kernel = &lanes->session->kernel;
	char *text = NULL, *netdev = NULL;
	bool stateless = false, old = has_old_tables();
	size_t size;
	FILE *out;

	lanes->old_tables = old;
	if (kernel->nft_error == 0 && nft_list_ruleset(kernel->nft, &text) != 0)
		return; /* it is not known: nothing without a connection */
	out = open_memstream(&netdev, &size);
	if (out) {
		stateless = (!text || reads_stateless(text, out)) && !old;
		fclose(out);
		free(lanes->netdev);
		lanes->netdev = netdev;
	}
	free(text);
	fast_set_rules(fast_of(lanes), stateless, !old);
}

static void on_rules(uv_timer_t *timer)
{
	struct lanes *lanes = timer->data;
	char *before = lanes->netdev ? strdup(lanes->netdev) : NULL;

	if (!fast_of(lanes))
		return;
	look_at_rules(lanes);
	if (lanes->netdev && (!before || strcmp(before, lanes->netdev) != 0))
		repair_arm(lanes->session); /* settles the devices, too */
	free(before);
}

static void on_listening(uv_timer_t *timer)
{
	struct lanes *lanes = timer->data;
	struct fast *fast = fast_of(lanes);

	if (!fast)
		return;
	fast_heard(fast);
	if (has_old_tables() != lanes->old_tables) /* iptables announces nothing */
		look_at_rules(lanes);
}

void lanes_note_change(struct lanes *lanes)
{
	struct fast *fast = fast_of(lanes);

	if (fast)
		fast_void_flows(fast);
}

void lanes_note_neighbour(struct lanes *lanes, const struct watch_event *event)
{
	if (neighbours_note(&lanes->neighbours, event))
		lanes_note_change(lanes);
}

void lanes_note_filter(struct lanes *lanes, const struct watch_event *event)
{
	struct fast *fast = fast_of(lanes);

	if (fast)
		fast_filters_changed(fast, event->index);
}

void lanes_note_rules(struct lanes *lanes)
{
	struct fast *fast = fast_of(lanes);

	if (!fast)
		return;
	fast_set_rules(fast, false, !lanes->old_tables);
	uv_timer_start(&lanes->rules, on_rules, RULES_QUIET_MS, 0);
}

/* Loading. */

static void load(void *arg)
{
	struct lanes *lanes = arg;

	lanes->bpf = bpf_load(lanes->pins, lanes->flows, lanes->why);
	uv_async_send(&lanes->loaded);
}

static void put_to_use(struct lanes *lanes)
{
	struct session *s = lanes->session;
	int err = lanes->bpf ? dp_start_fast(s->dp, lanes->bpf) : 0;

	if (err)
		snprintf(lanes->why, sizeof lanes->why, "the programs cannot be used: %s",
			 strerror(-err));
	if (!lanes->bpf || err) {
		log_warn("no kernel lanes: %s", lanes->why);
		lane_set_fast(s->lane, false);
		dp_expect_fast(s->dp, false);
	} else {
		look_at_rules(lanes);
		uv_timer_start(&lanes->listening, on_listening, 0, LISTENING_MS);
	}
	repair_arm(s); /* settles the devices */
}

static void on_loaded(uv_async_t *loaded)
{
	struct lanes *lanes = loaded->data;

	if (lanes->running)
		uv_thread_join(&lanes->thread);
	lanes->running = false;
	malloc_trim(0); /* the kernel's types took megabytes, which nobody needs any more */
	if (lanes->session && !dp_fast(lanes->session->dp))
		put_to_use(lanes);
}

void lanes_pins(const char *run_dir, char pins[PATH_MAX])
{
	char wanted[PATH_MAX];
	struct stat netns = {0};

	if (snprintf(wanted, sizeof wanted, "%s/bpf", run_dir) >= (int)sizeof wanted)
		wanted[0] = '\0';
	(void)stat("/proc/self/ns/net", &netns);
	bpf_pin_directory(wanted, netns.st_ino, pins, PATH_MAX);
}

static int detach(void *arg, const struct link_info *link)
{
	(void)arg;
	if (link->type == ARPHRD_ETHER)
		bpf_detach_tc(link->index);
	return 0;
}

void lanes_clear(const char *run_dir, struct kernel *kernel)
{
	char pins[PATH_MAX];

	lanes_pins(run_dir, pins);
	bpf_pins_clear(pins);
	(void)link_each(&kernel->route, detach, NULL);
}

struct lanes *lanes_begin(uv_loop_t *loop, const char *run_dir, uint32_t flows)
{
	struct lanes *lanes = calloc(1, sizeof *lanes);

	if (!lanes)
		return NULL;
	lanes->loop = loop;
	lanes->flows = flows;
	snprintf(lanes->why, sizeof lanes->why, "the programs are being loaded");
	lanes_pins(run_dir, lanes->pins);
	uv_timer_init(loop, &lanes->rules);
	uv_timer_init(loop, &lanes->listening);
	uv_timer_init(loop, &lanes->each_second);
	uv_async_init(loop, &lanes->loaded, on_loaded);
	lanes->rules.data = lanes->listening.data = lanes->each_second.data = lanes->loaded.data =
		lanes;
	uv_unref((uv_handle_t *)&lanes->loaded);
	lanes->running = uv_thread_create(&lanes->thread, load, lanes) == 0;
	if (!lanes->running)
		snprintf(lanes->why, sizeof lanes->why, "there is no thread to load the programs");
	return lanes;
}

void lanes_join(struct lanes *lanes, struct session *session)
{
	if (!lanes)
		return;
	lanes->session = session;
	dp_expect_fast(session->dp, lanes->running || lanes->bpf);
	if (!lanes->running)
		put_to_use(lanes);
}

void lanes_close(struct lanes *lanes)
{
	if (!lanes)
		return;
	lanes->session = NULL;
	if (lanes->running)
		uv_thread_join(&lanes->thread);
	lanes->running = false;
	uv_close((uv_handle_t *)&lanes->rules, NULL);
	uv_close((uv_handle_t *)&lanes->listening, NULL);
	uv_close((uv_handle_t *)&lanes->each_second, NULL);
	uv_close((uv_handle_t *)&lanes->loaded, NULL);
}

void lanes_free(struct lanes *lanes)
{
	if (!lanes)
		return;
	if (lanes->bpf)
		bpf_free(lanes->bpf);
	free(lanes->netdev);
	free(lanes);
}
