/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans made and applied to the kernel, in a network namespace of the test's own:
 *
 *	eth0 172.19.1.1/24 (a TAP device with a default gateway 172.19.1.254)
 *
 * The packet path is a stand-in that creates TUN devices and carries nothing. Needs root; skipped
 * (77) without.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "ctl/apply.h"
#include "ctl/msg.h"
#include "ctl/rules.h"
#include "os/tun.h"

#define A                                                                \
	"[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 1\n" \
	"address = 192.168.8.1 peer 192.168.8.11\n"                      \
	"address = 2001:db8:8::1/127\n"                                  \
	"route = 20.10.1.0/24\nroute = 2001:db8:20::/48 metric 9\n"
#define B "[tunnel B]\nmode = gretap\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 2\n"
#define F                                         \
	"[forward]\nenable = yes\n"               \
	"allow = 10.10.1.0/24 <-> 20.10.1.0/24\n" \
	"masquerade = 10.10.1.0/24 out A\n"       \
	"publish = tcp/443 in eth0 to 10.10.1.5:8443\n"

static struct kernel kernel;
static char run_dir[] = "/tmp/gretel-apply-XXXXXX";

/* ---- the stand-in for the packet path ---- */

static struct {
	struct dp_params params;
	int fd;
} carried[16];
static int fail_at; /* the call of `add` that fails; 0: none */

static int slot(const char *name)
{
	for (int i = 0; i < 16; i++)
		if (strcmp(carried[i].params.name, name) == 0)
			return i;
	return -1;
}

static int attach(const char *name, bool ethernet)
{
	bool uso;

	return tun_attach(name, ethernet, &uso);
}

static int fake_add(void *arg, const struct dp_params *params)
{
	int i = slot(""), fd;

	(void)arg;
	if (fail_at && --fail_at == 0)
		return -ENOBUFS;
	if (slot(params->name) >= 0)
		return -EEXIST;
	fd = attach(params->name, form_is_ethernet(params->form));
	if (fd < 0)
		return fd;
	memcpy(&carried[i].params, params, sizeof(*params));
	carried[i].fd = fd;
	return 0;
}

static int fake_change(void *arg, const struct dp_params *params)
{
	int i = slot(params->name);

	(void)arg;
	if (i < 0)
		return -ENOENT;
	memcpy(&carried[i].params, params, sizeof(*params));
	return 0;
}

static int fake_del(void *arg, const char *name, bool destroy)
{
	int i = slot(name);

	(void)arg;
	if (i < 0)
		return -ENOENT;
	if (destroy)
		tun_forget(carried[i].fd);
	close(carried[i].fd);
	memset(&carried[i], 0, sizeof(carried[i]));
	return 0;
}

static const struct dp_params *fake_params(void *arg, const char *name)
{
	int i = slot(name);

	(void)arg;
	return i < 0 ? NULL : &carried[i].params;
}

static const struct lane_ops fake = {NULL, fake_add, fake_change, fake_del, fake_params, true};

/* The daemon dies; its interfaces stay. */
static void kill_lane(void)
{
	for (int i = 0; i < 16; i++)
		if (carried[i].params.name[0])
			fake_del(NULL, carried[i].params.name, false);
}

/* ---- what the host looks like ---- */

static char *listing(const char *command)
{
	FILE *pipe = popen(command, "r");
	size_t size = 0, room = 1 << 20;
	char *text = malloc(room);

	assert_non_null(pipe);
	assert_non_null(text);
	size = fread(text, 1, room - 1, pipe);
	text[size] = '\0';
	assert_int_equal(pclose(pipe), 0);
	return text;
}

static FILE *dump;

static int dump_value(const char *path, const struct stat *stat, int type, struct FTW *where)
{
	char text[256];
	int fd = type == FTW_F && stat->st_mode & 0200 ? open(path, O_RDONLY) : -1;
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	(void)where;
	if (length >= 0)
		fprintf(dump, "%s = %.*s\n", path, (int)length, text);
	if (fd >= 0)
		close(fd);
	return 0;
}

/* Links, addresses, routes, rules and every sysctl of the network. */
static char *host_dump(void)
{
	char *text, *rest;
	size_t size;

	dump = open_memstream(&text, &size);
	rest = listing("ip -o link show | sed 's/^[0-9]*: //; s/ state [A-Z]* / /'; "
		       "ip -o addr show | sed 's/^[0-9]*: //'; ip route show table all; "
		       "ip -6 route show table all; nft list ruleset");
	fputs(rest, dump);
	free(rest);
	nftw("/proc/sys/net", dump_value, 16, FTW_PHYS);
	fclose(dump);
	return text;
}

/* Shows the first line that differs. */
static void assert_same_host(const char *before)
{
	char *after = host_dump();
	size_t i = 0;

	while (before[i] && before[i] == after[i])
		i++;
	if (before[i] || after[i]) {
		while (i > 0 && before[i - 1] != '\n')
			i--;
		fail_msg("was %.*s, is %.*s", (int)strcspn(before + i, "\n"), before + i,
			 (int)strcspn(after + i, "\n"), after + i);
	}
	free(after);
}

/* ---- one run ---- */

struct run {
	struct apply_report report;
	size_t steps, refusals;
	char failed[200], first[200];
	int err;
};

static struct run go(const char *file, const struct lane_ops *lane)
{
	char error[ACTUAL_ERROR_SIZE];
	struct conf *conf = NULL;
	struct actual actual;
	struct state state;
	struct site site;
	struct plan plan;
	struct run run = {0};

	if (file)
		assert_int_equal(conf_load_text("conf", file, stderr, &conf), 0);
	assert_int_equal(state_load(run_dir, &state), 0);
	if (actual_read(&kernel, conf, &state, lane, &actual, error))
		fail_msg("%s", error);
	assert_int_equal(site_build(conf, &actual, &site), 0);
	assert_int_equal(plan_make(&site, &actual, &plan), 0);
	run.steps = plan.step_count;
	run.refusals = plan.refusal_count;
	if (plan.step_count)
		snprintf(run.first, sizeof(run.first), "%s", plan.steps[0].text);
	if (!run.refusals)
		run.err = apply_plan(&kernel, &plan, lane, &state, &run.report);
	if (run.report.failed)
		snprintf(run.failed, sizeof(run.failed), "%s", run.report.failed->text);
	plan_free(&plan);
	site_free(&site);
	actual_free(&actual);
	state_free(&state);
	conf_free(conf);
	return run;
}

static void assert_done(struct run run, size_t steps)
{
	if (run.err)
		fail_msg("%s", run.report.text);
	assert_int_equal(run.refusals, 0);
	assert_int_equal(run.report.done, run.steps);
	if (run.steps != steps)
		fail_msg("%zu steps, the first: %s", run.steps, run.first);
}

static bool has_state(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", run_dir, MSG_STATE);
	return access(path, F_OK) == 0;
}

static int set_up(void **unused)
{
	(void)unused;
	if (!mkdtemp(run_dir) || kernel_open(&kernel))
		return -1;
	close(attach("eth0", true));
	/* One interface is set apart from "default", as an administrator may have done. */
	close(attach("eth1", true));
	return system("ip link set lo up; ip link set eth0 up; ip link set eth1 up;"
		      "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0;"
		      "ip addr add 172.19.1.1/24 dev eth0; ip addr add 10.10.1.1/24 dev eth1;"
		      "ip route add default via 172.19.1.254;"
		      "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0;"
		      "sysctl -qw net.ipv4.conf.eth1.forwarding=1;"
		      "sysctl -qw net.ipv4.conf.all.accept_redirects=0");
}

static int tear_down(void **unused)
{
	(void)unused;
	kernel_close(&kernel);
	return rmdir(run_dir);
}

/* Up, again, another key, down: and the host is as it was. */
static void there_and_back(void **unused)
{
	char *before = host_dump(), value[SYSCTL_VALUE_SIZE], *text;

	(void)unused;
	assert_non_null(strstr(before, "/proc/sys/net/ipv4/conf/eth1/forwarding = 1"));
	assert_non_null(strstr(before, "/proc/sys/net/ipv6/conf/default/accept_ra = "));
	/* rules, forwarding twice, conntrack; A: create, MTU, 2 addresses, up, 2 routes; B: create,
	 * MTU, up */
	assert_done(go(A B F, &fake), 14);
	sysctl_read("net/ipv4/ip_forward", value);
	assert_string_equal(value, "1");
	sysctl_read("net/ipv6/conf/all/forwarding", value);
	assert_string_equal(value, "1");
	text = listing("ip link show A; ip route show proto 71; ip -6 route show proto 71; "
		       "nft list table inet gretel");
	assert_non_null(strstr(text, "alias gretel: gre local 172.19.1.1 remote 172.19.1.2 key 1"));
	assert_non_null(strstr(text, "mtu 1472"));
	assert_non_null(strstr(text, "20.10.1.0/24 dev A"));
	assert_non_null(strstr(text, "2001:db8:20::/48 dev A"));
	assert_non_null(strstr(text, "masquerade"));
	free(text);
	assert_done(go(A B F, &fake), 0);
	assert_done(go(A B F, NULL), 0);
	assert_done(go("[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\nkey = 7\n"
		       "address = 192.168.8.1 peer 192.168.8.11\n"
		       "address = 2001:db8:8::1/127\n"
		       "route = 20.10.1.0/24\nroute = 2001:db8:20::/48 metric 9\n" B F,
		       &fake),
		    1);
	assert_int_equal(fake_params(NULL, "A")->okey, 7);
	assert_true(has_state());
	go(NULL, &fake);
	assert_false(has_state());
	assert_null(fake_params(NULL, "A"));
	assert_same_host(before);
	free(before);
}

/* A host that forwards IPv6 would forget the default route that a router told it, unless
 * accept_ra is 2. */
static void told_by_a_router(void **unused)
{
	char *before, value[SYSCTL_VALUE_SIZE];

	(void)unused;
	assert_int_equal(system("sysctl -qw net.ipv6.conf.eth1.accept_ra=1;"
				"ip -6 addr add 2001:db8:1::1/64 dev eth1;"
				"ip -6 route add default via 2001:db8:1::9 dev eth1 proto ra"),
			 0);
	before = host_dump();
	go(A F, &fake);
	assert_int_equal(sysctl_read("net/ipv6/conf/eth1/accept_ra", value), 0);
	assert_string_equal(value, "2");
	assert_int_equal(sysctl_read("net/ipv6/conf/eth0/accept_ra", value), 0);
	assert_string_equal(value, "1");
	go(NULL, &fake);
	assert_same_host(before);
	free(before);
	assert_int_equal(system("ip -6 route del default; ip -6 addr flush dev eth1"), 0);
}

/* A daemon that was killed: the next one takes over; without one, everything can be taken down. */
static void after_kill(void **unused)
{
	char *before = host_dump();

	(void)unused;
	go(A F, &fake);
	kill_lane();
	assert_done(go(A F, NULL), 0);
	assert_done(go(A F, &fake), 1);
	kill_lane();
	assert_int_equal(go(NULL, NULL).err, 0);
	assert_same_host(before);
	free(before);
}

/* Others change what is ours, and it is put back; what is theirs stays. */
static void others(void **unused)
{
	char *before = host_dump(), *text;

	(void)unused;
	go(A F, &fake);
	assert_int_equal(system("ip addr add 10.77.0.1/24 dev A;"
				"ip addr del 192.168.8.1 peer 192.168.8.11 dev A;"
				"ip route del 20.10.1.0/24; nft delete table inet gretel;"
				"sysctl -qw net.ipv4.ip_forward=0; ip link set A mtu 1300"),
			 0);
	assert_done(go(A F, &fake), 5);
	assert_done(go(A F, &fake), 0);
	text = listing("ip addr show A");
	assert_non_null(strstr(text, "10.77.0.1/24"));
	free(text);
	assert_int_equal(system("nft add rule inet gretel judge accept; ip link set A down"), 0);
	/* IPv4 routes and IPv6 addresses go when a link goes down. */
	go(A F, &fake);
	assert_done(go(A F, &fake), 0);
	assert_int_equal(system("ip link del A"), 0);
	go(A F, &fake);
	assert_done(go(A F, &fake), 0);
	go(NULL, &fake);
	assert_same_host(before);
	free(before);
}

/* The kernel takes more away than it is asked to. */
static void addresses_change(void **unused)
{
	static const char first[] = "[tunnel A]\nlocal = 172.19.1.1\nremote = 172.19.1.2\n";
	static const char *const addresses[] = {
		/* 1: the only one is another: the routes go with it */
		"address = 192.168.8.1/30\nroute = 20.10.1.0/24\nroute = 20.11.0.0/16 metric 3\n",
		"address = 192.168.8.5/30\nroute = 20.10.1.0/24\nroute = 20.11.0.0/16 metric 3\n",
		/* 3: the first of a network goes, and takes the second along */
		"address = 10.5.0.1/24\naddress = 10.5.0.2/24\nroute = 20.10.1.0/24\n",
		"address = 10.5.0.2/24\nroute = 20.10.1.0/24\n",
		/* 5: from a network to a peer */
		"address = 10.5.0.2 peer 10.5.0.3\nroute = 20.10.1.0/24\n",
		"address = 10.5.0.2 peer 10.5.0.4\nroute = 20.10.1.0/24\n",
		/* 7 */ "route = 20.10.1.0/24\n",
		/* 8 */ "address = 2001:db8::1/64\naddress = 2001:db8::2/64\n",
		/* 9 */ "address = 2001:db8::2/64\nroute = 2001:db8:9::/48\n",
	};
	char *before = host_dump(), file[512];

	(void)unused;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct run run;

		snprintf(file, sizeof(file), "%s%s", first, addresses[i]);
		run = go(file, &fake);
		if (run.err || run.refusals)
			fail_msg("%zu: %s", i + 1, run.report.text);
		run = go(file, &fake);
		if (run.steps)
			fail_msg("%zu: still to do: %s", i + 1, run.first);
	}
	go(NULL, &fake);
	assert_same_host(before);
	free(before);
}

/* What fails is undone, and said. */
static void failures(void **unused)
{
	char *before;
	struct run run;

	(void)unused;
	assert_int_equal(system("ip route add 20.10.1.0/24 via 10.10.1.9"), 0);
	before = host_dump();
	run = go(A B F, &fake);
	assert_int_equal(run.err, -EEXIST);
	assert_string_equal(run.failed, "add route 20.10.1.0/24 over A");
	assert_non_null(
		strstr(run.report.text, "there is a route to 20.10.1.0/24 over eth1 already"));
	assert_int_equal(run.report.undone, run.report.done);
	assert_int_equal(run.report.stuck, 0);
	assert_false(has_state());
	assert_same_host(before);
	free(before);
	assert_int_equal(system("ip route del 20.10.1.0/24"), 0);

	/* The second tunnel cannot be created: the first goes, and the rules of before are back. */
	before = host_dump();
	go(A F, &fake);
	fail_at = 1;
	run = go(A B "[forward]\nenable = yes\n", &fake);
	assert_int_equal(run.err, -ENOBUFS);
	assert_int_equal(run.report.stuck, 0);
	assert_done(go(A F, &fake), 0);
	/* One that is deleted comes back, with all that was on it. */
	go(A, &fake);
	fail_at = 1;
	run = go(B, &fake);
	assert_int_equal(run.err, -ENOBUFS);
	assert_int_equal(run.report.stuck, 0);
	assert_done(go(A, &fake), 0);
	go(NULL, &fake);
	assert_same_host(before);
	free(before);
}

/* Killed after TUNSETIFF and before the alias: the state knows whose it is. */
static void cut_short(void **unused)
{
	char path[64];

	(void)unused;
	close(attach("A", false));
	assert_int_equal(go(A, &fake).refusals, 1);
	snprintf(path, sizeof(path), "%s/%s", run_dir, MSG_STATE);
	assert_int_equal(file_write(path, "{\"format\": 1, \"pending\": [\"A\"]}", 0600), 0);
	assert_int_equal(go(A, &fake).err, 0);
	assert_done(go(A, &fake), 0);
	go(NULL, &fake);
	assert_false(has_state());
}

static void foreign(void **unused)
{
	char *before = host_dump();
	struct run run;

	(void)unused;
	assert_int_equal(system("ip link add A type veth peer name A2"), 0);
	assert_int_equal(go(A, &fake).refusals, 1);
	assert_int_equal(system("ip link set A alias 'gretel: gre'"), 0);
	assert_int_equal(go(A, &fake).refusals, 1);
	go(NULL, &fake);
	assert_true(link_index("A") != 0);
	assert_int_equal(system("ip link del A"), 0);
	/* The way to the peer. */
	run = go(A "route = 0.0.0.0/1\n", &fake);
	assert_int_equal(run.refusals, 0); /* 172/8 is in the other half */
	go(NULL, &fake);
	run = go("[tunnel A]\nlocal = 172.19.1.1\nremote = 203.0.113.9\nroute = 128.0.0.0/1\n",
		 &fake);
	assert_int_equal(run.err, 0);
	assert_int_equal(system("ip route show 203.0.113.9 proto 71 | grep -q via"), 0);
	go(NULL, &fake);
	assert_int_equal(system("ip route add 203.0.113.9 via 172.19.1.254"), 0);
	assert_int_equal(go("[tunnel A]\nlocal = 172.19.1.1\nremote = 203.0.113.9\n"
			    "route = 0.0.0.0/0 metric 5\n",
			    &fake)
				 .refusals,
			 0);
	go(NULL, &fake);
	assert_int_equal(system("ip route del 203.0.113.9"), 0);
	assert_int_equal(go("[tunnel A]\nlocal = 10.10.1.1\nremote = 172.19.1.1\n", &fake).refusals,
			 1);
	assert_same_host(before);
	free(before);
}

/* Every kind of rule is one that the kernel takes, and is in place after. */
static void kernel_takes_rules(void **unused)
{
	(void)unused;
	go(A F
	   "snat = 10.11.0.0/16 out eth0 to 192.0.2.9\nmasquerade = ::/0 out eth1\n"
	   "masquerade = 0.0.0.0/0 out A\nallow = ::/0 <-> ::/0\nallow = 0.0.0.0/0 -> 1.0.0.0/8\n"
	   "publish = udp/8000-8010 in eth1 to 10.10.1.5\n"
	   "publish = tcp/80 in eth1 to [2001:db8::5]:81\npublish = tcp/82 in eth1 to "
	   "2001:db8::5\n[tunnel C]\nlocal = 2001:db8::1\nremote = 2001:db8::2\n",
	   &fake);
	assert_done(go(A F "snat = 10.11.0.0/16 out eth0 to 192.0.2.9\n"
			   "masquerade = ::/0 out eth1\n"
			   "masquerade = 0.0.0.0/0 out A\nallow = ::/0 <-> ::/0\n"
			   "allow = 0.0.0.0/0 -> 1.0.0.0/8\n"
			   "publish = udp/8000-8010 in eth1 to 10.10.1.5\n"
			   "publish = tcp/80 in eth1 to [2001:db8::5]:81\n"
			   "publish = tcp/82 in eth1 to 2001:db8::5\n"
			   "[tunnel C]\nlocal = 2001:db8::1\nremote = 2001:db8::2\n",
		       &fake),
		    0);
	go(NULL, &fake);
}

static void states(void **unused)
{
	char path[64];
	struct state state;

	(void)unused;
	snprintf(path, sizeof(path), "%s/%s", run_dir, MSG_STATE);
	assert_int_equal(file_write(path,
				    "{\"format\": 1, \"saved\": {\"forward4\": "
				    "[[\"../../etc/passwd\", \"0\"]]}}",
				    0600),
			 0);
	assert_int_equal(state_load(run_dir, &state), -EBADMSG);
	assert_true(state_is_empty(&state));
	assert_int_equal(file_write(path, "{", 0600), 0);
	assert_int_equal(state_load(run_dir, &state), -EBADMSG);
	assert_int_equal(sysctl_list_add(&state.saved[1], "net/ipv6/conf/all/forwarding", "0"), 0);
	state.rules_known = true;
	state.rules_wanted = 0xfedcba9876543210;
	state.rules_listed = 1;
	assert_int_equal(state_store(&state), 0);
	state_free(&state);
	assert_int_equal(state_load(run_dir, &state), 0);
	assert_int_equal(state.saved[0].count, 0);
	assert_int_equal(state.saved[1].count, 1);
	assert_string_equal(state.saved[1].items[0].path, "net/ipv6/conf/all/forwarding");
	assert_true(state.rules_known);
	assert_true(state.rules_wanted == 0xfedcba9876543210);
	assert_true(state.rules_listed == 1);
	assert_int_equal(state_remove(&state), 0);
	state_free(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states),	    cmocka_unit_test(there_and_back),
		cmocka_unit_test(told_by_a_router), cmocka_unit_test(after_kill),
		cmocka_unit_test(others),	    cmocka_unit_test(addresses_change),
		cmocka_unit_test(failures),	    cmocka_unit_test(cut_short),
		cmocka_unit_test(foreign),	    cmocka_unit_test(kernel_takes_rules),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "skipped: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
