/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "ctl/event.h"
#include "ctl/msg.h"
#include "os/rule.h"

#define ADDED_SIZE_MAX (16u << 20)

int session_open(uv_loop_t *loop, const char *run_dir, struct lanes *lanes, FILE *errors,
		 struct session **out)
{
	struct session *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->lanes = lanes;
	s->started_ms = uv_now(loop);
	s->repair.session = s;
	struct stat ns;
	if (stat("/proc/self/ns/net", &ns) == 0)
		s->netns = ns.st_ino;
	int e = 0;
	if (snprintf(s->run_dir, sizeof s->run_dir, "%s", run_dir) >= (int)sizeof s->run_dir ||
	    snprintf(s->added, sizeof s->added, "%s/%s", run_dir, MSG_ADDED) >=
		    (int)sizeof s->added)
		e = -ENAMETOOLONG;
	if (e == 0)
		e = kernel_open(&s->kernel);
	if (e) {
		fprintf(errors, "opening the kernel's sockets: %s\n", strerror(-e));
		free(s);
		return e;
	}
	s->kernel_opened = true;
	e = session_hooks_open(s);
	if (e == 0)
		e = session_names_open(s);
	if (e) {
		fprintf(errors, "out of memory\n");
		session_free(s);
		return e;
	}
	e = state_load(run_dir, &s->state);
	if (e)
		log_warn("%s/%s: %s: going on without what was saved there", run_dir, MSG_STATE,
			 strerror(-e));
	*out = s;
	return 0;
}

static void stop_lane(struct session *s)
{
	if (s->lane)
		lane_close(s->lane);
	if (s->dp)
		dp_stop(s->dp, !s->down);
	s->lane = NULL;
	s->dp = NULL;
}

void session_stop(struct session *s)
{
	repair_close(s);
	session_hooks_close(s);
	session_names_close(s);
	stop_lane(s);
}

void session_free(struct session *s)
{
	conf_free(s->conf);
	state_free(&s->state);
	if (s->kernel_opened)
		kernel_close(&s->kernel);
	free(s->tunnels);
	free(s->config);
	free(s);
}

/* IPv4 sockets look for another way by themselves. */
static void forget_ways(struct session *s)
{
	if (!s->conf || !(site_families(s->conf) & 1U << SWITCH_FORWARD6))
		return;
	int e = rule_forget_ways6(&s->kernel.route);
	if (e)
		log_warn("IPv6 connections of this host keep to the lost tunnel: %s", strerror(-e));
}

static void on_dp_event(void *arg, const struct dp_event *event)
{
	if (event->kind == DP_EVENT_VERDICT) {
		if (event->error)
			log_warn("interface %s: cannot turn its carrier %s: %s", event->name,
				 event->carrier ? "on" : "off", strerror(-event->error));
		tunnels_note_verdict(arg, event->name);
		if (!event->carrier)
			forget_ways(arg);
		return;
	}
	if (event->kind == DP_EVENT_PROVED)
		session_names_proved(arg, event);
	if (event->kind == DP_EVENT_TUN_GONE)
		log_warn("interface %s was deleted", event->name);
	repair_arm(arg);
}

/* The packet threads start with the first configuration, which says how many. */
static int start_lane(struct session *s, unsigned workers, FILE *errors)
{
	if (s->lane) {
		if (workers && workers != dp_workers(s->dp))
			log_info("workers: %u go on running; %u takes effect at the next start",
				 dp_workers(s->dp), workers);
		return 0;
	}
	int e = dp_start(s->loop, workers, on_dp_event, s, &s->dp);
	if (e) {
		fprintf(errors, "starting the packet threads: %s%s\n", strerror(-e),
			e == -EPERM ? ": run it as root (CAP_NET_ADMIN and CAP_NET_RAW)" : "");
		return e;
	}
	e = lane_open(s->dp, &s->lane);
	if (e) {
		fprintf(errors, "starting the packet threads: %s\n", strerror(-e));
		stop_lane(s);
	}
	if (e == 0)
		lanes_join(s->lanes, s);
	return e;
}

static int apply(struct session *s, const struct pass *pass, FILE *errors)
{
	struct apply_report done = {0};
	int e = apply_plan(&s->kernel, &pass->plan, lane_ops(s->lane), &s->state, &done);
	if (e == 0)
		return 0;
	fprintf(errors, "%s\n", done.text[0] ? done.text : strerror(-e));
	if (done.undone)
		fprintf(errors, "%zu steps before it were taken back\n", done.undone);
	return e;
}

/* Makes the kernel agree with `conf`. Returns an enum msg_exit. */
static int make_so(struct session *s, const struct conf *conf, const struct report *report)
{
	struct pass pass;
	repair_hears(s);
	if (pass_make(&s->kernel, conf, &s->state, lane_ops(s->lane), report->errors, &pass) != 0)
		return EXIT_FAILED;
	int e = 0;
	if (pass_print_refusals(&pass, report->errors) > 0)
		e = EXIT_CONFIG;
	else if (apply(s, &pass, report->errors) != 0)
		e = EXIT_FAILED;
	else if (conf && tunnels_note(s, conf, &pass) != 0)
		e = EXIT_FAILED;
	else if (conf)
		lanes_settle(s->lanes, &pass.actual);
	if (e == 0)
		pass_print_steps(&pass, report->lines);
	if (e == 0 && pass.plan.step_count == 0)
		fputs("nothing to do\n", report->lines);
	pass_free(&pass);
	return e;
}

/* Whether every tunnel is in place; says which is not. */
static int print_waiting(const struct session *s, FILE *errors)
{
	int e = 0;
	for (size_t i = 0; i < s->conf->tunnel_count; i++) {
		if (s->tunnels[i].state == SESSION_UP)
			continue;
		fprintf(errors, "tunnel %s is not up: %s\n", s->conf->tunnels[i].name,
			s->tunnels[i].reason);
		e = EXIT_FAILED;
	}
	return e;
}

/* The configuration was read, for better or worse. */
static void tell_reload(struct session *s, bool accepted)
{
	size_t up = 0, count = s->conf ? s->conf->tunnel_count : 0;
	for (size_t i = 0; i < count; i++)
		up += s->tunnels[i].state == SESSION_UP;
	session_event(s, EVENT_RELOAD, NULL,
		      json_pack("{s:b, s:I, s:I}", "accepted", accepted, "tunnels",
				(json_int_t)count, "up", (json_int_t)up),
		      LOG_LEVEL_DEBUG, "the configuration was %s: %zu of %zu tunnels are in place",
		      accepted ? "applied" : "refused", up, count);
}

int session_reload(struct session *s, const char *config, const struct report *report,
		   bool *accepted)
{
	struct conf *conf = NULL;
	if (accepted)
		*accepted = false;
	if (s->down) {
		fprintf(report->errors, "greteld is going down\n");
		return EXIT_NOT_RUNNING;
	}
	if (conf_load(config, s->added, report->errors, &conf) != 0) {
		tell_reload(s, false);
		return EXIT_CONFIG;
	}
	if (names_want(s->names, conf) == 0 && !names_are_settled(s->names)) {
		conf_free(conf);
		return SESSION_AGAIN;
	}
	char *path = config ? strdup(config) : NULL;
	int e = config && !path ? EXIT_FAILED : 0;
	if (e == 0 && start_lane(s, conf->workers, report->errors) != 0)
		e = EXIT_FAILED;
	if (e == 0)
		e = make_so(s, conf, report);
	if (e) {
		conf_free(conf);
		free(path);
		tell_reload(s, false);
		return e;
	}
	conf_free(s->conf);
	free(s->config);
	s->conf = conf;
	s->config = path;
	s->reloads++;
	dp_settle(s->dp);
	names_keep(s->names, conf);
	session_names_keep(s);
	session_names_save(s);
	if (accepted)
		*accepted = true;
	tell_reload(s, true);
	repair_arm(s);
	return print_waiting(s, report->errors);
}

int session_edit(struct session *s, enum added_verb verb, const char *const *words, size_t count,
		 const struct report *report)
{
	char *text = NULL, *old = NULL;
	int e = added_edit(s->added, verb, words, count, s->conf, report->errors, &text);
	if (e)
		return e;
	e = file_read(s->added, ADDED_SIZE_MAX, &old);
	if (e == -ENOENT)
		e = 0;
	if (e == 0)
		e = added_write(s->added, text);
	if (e) {
		fprintf(report->errors, "%s: %s\n", s->added, strerror(-e));
		free(text);
		free(old);
		return EXIT_FAILED;
	}
	bool accepted;
	char *config = s->config ? strdup(s->config) : NULL;
	e = session_reload(s, config, report, &accepted);
	int back = accepted ? 0 : added_write(s->added, old ? old : "");
	if (back)
		fprintf(report->errors, "%s: %s\n", s->added, strerror(-back));
	free(config);
	free(text);
	free(old);
	return e;
}

int session_down(struct session *s, const struct report *report)
{
	struct pass pass;
	const struct lane_ops *lane = s->lane ? lane_ops(s->lane) : NULL;
	repair_hears(s);
	if (pass_make(&s->kernel, NULL, &s->state, lane, report->errors, &pass) != 0)
		return EXIT_FAILED;
	struct apply_report done = {0};
	int e = apply_plan(&s->kernel, &pass.plan, lane, &s->state, &done);
	if (e)
		fprintf(report->errors, "%s\n", done.text);
	else
		pass_print_steps(&pass, report->lines);
	pass_free(&pass);
	if (e)
		return EXIT_FAILED;
	repair_close(s);
	e = state_remove(&s->state);
	if (e == 0)
		e = added_write(s->added, "");
	if (e)
		fprintf(report->errors, "%s: %s\n", s->run_dir, strerror(-e));
	tunnels_note_down(s);
	session_event(s, EVENT_STOP, NULL, NULL, LOG_LEVEL_DEBUG, "all was taken back");
	conf_free(s->conf);
	s->conf = NULL;
	s->down = true;
	return e ? EXIT_FAILED : EXIT_OK;
}

static int print_step_texts(const struct pass *pass, char **steps)
{
	size_t size;
	FILE *out = open_memstream(steps, &size);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < pass->plan.step_count; i++)
		fprintf(out, "%s\n", pass->plan.steps[i].text);
	fclose(out);
	return *steps ? 0 : -ENOMEM;
}

int session_look(struct session *s, FILE *errors, char **steps)
{
	struct pass pass;
	*steps = NULL;
	session_names_save(s);
	bool hears = repair_hears(s);
	kernel_forget(&s->kernel);
	if (pass_make(&s->kernel, s->conf, &s->state, lane_ops(s->lane), errors, &pass) != 0)
		return -1;
	pass.plan.take_back = true;
	int n = (int)pass.plan.step_count;
	if (pass_print_refusals(&pass, errors) > 0) {
		tunnels_note_refusals(s, &pass);
		n = -1;
	} else if ((n > 0 && apply(s, &pass, errors) != 0) ||
		   tunnels_note(s, s->conf, &pass) != 0 ||
		   (n > 0 && print_step_texts(&pass, steps) != 0)) {
		n = -1;
	} else {
		lanes_settle(s->lanes, &pass.actual);
		if (n == 0 && hears)
			actual_keep(&s->kernel, &pass.actual);
	}
	pass_free(&pass);
	return n;
}
