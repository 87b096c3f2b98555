/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/oneshot.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/added.h"
#include "ctl/apply.h"
#include "ctl/instance.h"
#include "ctl/lanes.h"
#include "ctl/msg.h"
#include "ctl/peer/peer.h"

int oneshot_check(const char *config, const struct report *report)
{
	struct conf *conf;
	size_t count = 0;
	if (conf_load(config, NULL, report->errors, &conf) != 0)
		return EXIT_CONFIG;
	for (size_t i = 0; i < conf->tunnel_count; i++)
		count += !conf->tunnels[i].hub;
	fprintf(report->lines, "%s: correct, %zu tunnel%s\n", config ? config : "no file", count,
		count == 1 ? "" : "s");
	for (size_t i = 0; i < conf->tunnel_count; i++)
		conf_profile_explain(&conf->tunnels[i], report->lines);
	conf_free(conf);
	return EXIT_OK;
}

int oneshot_config(const char *config, const char *added, const struct report *report)
{
	struct conf *conf;
	if (conf_load(config, added, report->errors, &conf) != 0)
		return EXIT_CONFIG;
	conf_print(conf, report->lines);
	conf_free(conf);
	return EXIT_OK;
}

static int no_system(const char *system, FILE *errors)
{
	if (system)
		fprintf(errors, "unknown system \"%.64s\": the systems are ", system);
	else
		fputs("peer needs --for SYSTEM: the systems are ", errors);
	peer_list_systems(errors);
	fputc('\n', errors);
	return EXIT_USAGE;
}

static int no_tunnel(const struct conf *conf, const char *tunnel, FILE *errors)
{
	fprintf(errors, "no tunnel \"%.64s\": the tunnels are", tunnel);
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (!conf->tunnels[i].hub)
			fprintf(errors, "%s %s", i ? "," : "", conf->tunnels[i].name);
	fputs(conf->tunnel_count ? "\n" : " none\n", errors);
	return EXIT_USAGE;
}

static int no_other_side(const struct conf_tunnel *tunnel, FILE *errors)
{
	fprintf(errors,
		"%s belongs to a tunnel with several peers, whose files are not printed: give each "
		"peer a tunnel to this machine, with the same key\n",
		tunnel->name);
	return EXIT_USAGE;
}

/* A kernel to talk to and what was saved in the run directory. */
static int open_both(const char *run_dir, struct kernel *kernel, struct state *state, FILE *errors)
{
	int e = kernel_open(kernel);
	if (e) {
		fprintf(errors, "opening the kernel's sockets: %s\n", strerror(-e));
		return EXIT_FAILED;
	}
	e = state_load(run_dir, state);
	if (e)
		log_warn("%s/%s: %s: going on without what was saved there", run_dir, MSG_STATE,
			 strerror(-e));
	return 0;
}

static int print_peer(const struct conf *conf, const struct conf_tunnel *tunnel, uint32_t path_mtu,
		      const struct peer_system *system, const struct report *report)
{
	struct peer_view view;
	if (peer_mirror(conf, tunnel, path_mtu, &view) != 0) {
		fputs("out of memory: free some\n", report->errors);
		return EXIT_FAILED;
	}
	peer_print(&view, system, report->lines, report->errors);
	peer_view_free(&view);
	return EXIT_OK;
}

/* The peer needs the addresses that are in effect here, and the MTU of the way. */
static int print_looked_up(const struct pass *pass, size_t index, const struct peer_system *system,
			   const struct report *report)
{
	const struct actual_way *way = &pass->actual.ways[index];
	bool known = way->error == 0 && !way->local_missing;

	return print_peer(pass->actual.conf, &pass->actual.conf->tunnels[index],
			  known ? way->path_mtu : 0, system, report);
}

/* Where nobody can be asked, what the file says has to do: it may be printed on another machine. */
static int look_up_peer(const struct conf *conf, size_t index, const struct peer_system *system,
			const char *run_dir, const struct report *report)
{
	struct kernel kernel;
	struct state state;
	struct pass pass;
	FILE *nowhere = fopen("/dev/null", "we");
	int e = nowhere ? open_both(run_dir, &kernel, &state, nowhere) : EXIT_FAILED;
	bool asked = e == 0;
	if (e == 0)
		e = pass_make(&kernel, conf, &state, NULL, nowhere, &pass);
	if (nowhere)
		fclose(nowhere);
	if (e == 0) {
		e = print_looked_up(&pass, index, system, report);
		pass_free(&pass);
	} else {
		e = print_peer(conf, &conf->tunnels[index], 0, system, report);
	}
	if (asked) {
		state_free(&state);
		kernel_close(&kernel);
	}
	return e;
}

static int no_other_system(const struct conf_tunnel *tunnel, FILE *errors)
{
	if (tunnel->nat)
		fprintf(errors,
			"%s has a nat-secret, and its other end is printed for gretel only: write "
			"--for gretel\n",
			tunnel->name);
	else
		fprintf(errors,
			"%s has mode = %s, whose other end is printed for gretel only: write --for "
			"gretel, or set the other system up by its own manual\n",
			tunnel->name, conf_mode_name(tunnel->mode));
	return EXIT_USAGE;
}

int oneshot_peer(const char *config, const char *added, const char *run_dir, const char *name,
		 const char *system_name, const struct report *report)
{
	const struct peer_system *system = system_name ? peer_find_system(system_name) : NULL;
	struct conf *conf;
	if (!system)
		return no_system(system_name, report->errors);
	if (conf_load(config, added, report->errors, &conf) != 0)
		return EXIT_CONFIG;
	const struct conf_tunnel *tunnel = conf_find_tunnel(conf, name);
	int e;
	if (!tunnel)
		e = no_tunnel(conf, name, report->errors);
	else if (tunnel->hub || tunnel->peer_count)
		e = no_other_side(tunnel, report->errors);
	else if (!peer_can_print(system, tunnel))
		e = no_other_system(tunnel, report->errors);
	else
		e = look_up_peer(conf, (size_t)(tunnel - conf->tunnels), system, run_dir, report);
	conf_free(conf);
	return e;
}

static int print_plan(const struct pass *pass, const struct report *report)
{
	if (pass_print_refusals(pass, report->errors) > 0)
		return EXIT_CONFIG;
	pass_print_steps(pass, report->lines);
	if (pass->plan.step_count > 0)
		return EXIT_CHANGES;
	fputs("nothing to do\n", report->lines);
	return EXIT_OK;
}

int oneshot_plan(const char *config, const char *added, const char *run_dir,
		 const struct report *report)
{
	struct conf *conf;
	struct kernel kernel;
	struct state state;
	struct pass pass;
	if (conf_load(config, added, report->errors, &conf) != 0)
		return EXIT_CONFIG;
	int e = open_both(run_dir, &kernel, &state, report->errors);
	if (e == 0) {
		e = EXIT_FAILED;
		if (pass_make(&kernel, conf, &state, NULL, report->errors, &pass) == 0) {
			e = print_plan(&pass, report);
			pass_free(&pass);
		}
		state_free(&state);
		kernel_close(&kernel);
	}
	conf_free(conf);
	return e;
}

static int undo(struct kernel *kernel, struct state *state, const struct report *report)
{
	struct pass pass;
	struct apply_report done = {0};
	if (pass_make(kernel, NULL, state, NULL, report->errors, &pass) != 0)
		return EXIT_FAILED;
	int e = apply_plan(kernel, &pass.plan, NULL, state, &done);
	if (e)
		fprintf(report->errors, "%s\n", done.text);
	else
		pass_print_steps(&pass, report->lines);
	if (e == 0 && pass.plan.step_count == 0)
		fputs("greteld is not running, and nothing of it was left\n", report->lines);
	pass_free(&pass);
	return e ? EXIT_FAILED : EXIT_OK;
}

/* The files that a killed daemon leaves. The pid file goes with the instance. */
static int remove_files(const char *run_dir, const char *added, const struct state *state,
			FILE *errors)
{
	char socket[PATH_MAX];
	int e = state_remove(state);
	if (e == 0)
		e = added_write(added, "");
	if (e)
		fprintf(errors, "%s: %s\n", run_dir, strerror(-e));
	if (snprintf(socket, sizeof socket, "%s/%s", run_dir, MSG_SOCKET) < (int)sizeof socket)
		unlink(socket);
	return e ? EXIT_FAILED : EXIT_OK;
}

int oneshot_down(const char *run_dir, const char *added, const struct report *report)
{
	struct instance instance;
	struct kernel kernel;
	struct state state;
	if (instance_take(run_dir, report->errors, &instance) != 0)
		return EXIT_FAILED;
	int e = open_both(run_dir, &kernel, &state, report->errors);
	if (e == 0) {
		/* First the lanes: they would go on sending into interfaces that are gone. */
		lanes_clear(run_dir, &kernel);
		e = undo(&kernel, &state, report);
		if (e == 0)
			e = remove_files(run_dir, added, &state, report->errors);
		state_free(&state);
		kernel_close(&kernel);
	}
	instance_release(&instance);
	return e;
}
