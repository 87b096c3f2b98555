/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs.c: what the requests of the control socket mean; one function for each. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/event.h"
#include "ctl/iptunnel.h"
#include "ctl/jtext.h"
#include "ctl/msg.h"
#include "ctl/notify.h"
#include "ctl/session.h"

/* A report into memory, for a reply. */
struct collected {
	struct report report;
	char *lines, *errors;
	size_t lines_size, errors_size;
};

static int collect_begin(struct collected *c)
{
	*c = (struct collected){0};
	c->report.lines = open_memstream(&c->lines, &c->lines_size);
	c->report.errors = open_memstream(&c->errors, &c->errors_size);
	if (c->report.lines && c->report.errors)
		return 0;
	if (c->report.lines)
		fclose(c->report.lines);
	if (c->report.errors)
		fclose(c->report.errors);
	free(c->lines);
	free(c->errors);
	return -1;
}

static json_t *reply_error(int exit_code, const char *text)
{
	return json_pack("{s:i, s:o}", "exit", exit_code, "error", jtext(text, strlen(text)));
}

static void collect_free(struct collected *c)
{
	fclose(c->report.lines);
	fclose(c->report.errors);
	free(c->lines);
	free(c->errors);
}

/* Ends the report; without its last newline the error is the text that the client prints. */
static json_t *collect_end(struct collected *c, int exit_code)
{
	if (exit_code == SESSION_AGAIN) {
		collect_free(c);
		return server_later();
	}
	fclose(c->report.lines);
	fclose(c->report.errors);
	size_t len = c->errors ? strlen(c->errors) : 0;
	if (len > 0 && c->errors[len - 1] == '\n')
		len--;
	json_t *reply = json_pack("{s:i, s:o}", "exit", exit_code, "lines",
				  jtext_lines(c->lines ? c->lines : ""));
	if (len > 0)
		json_object_set_new(reply, "error", jtext(c->errors, len));
	free(c->lines);
	free(c->errors);
	return reply;
}

static json_t *verb_ping(struct session *s, const json_t *request)
{
	(void)request;
	return json_pack("{s:i, s:{s:i, s:s?}}", "exit", EXIT_OK, "data", "pid", (int)getpid(),
			 "config", s->config);
}

static json_t *verb_version(struct session *s, const json_t *request)
{
	(void)s;
	(void)request;
	return json_pack("{s:i, s:{s:s}}", "exit", EXIT_OK, "data", "version", GRETEL_VERSION);
}

static json_t *no_such_tunnel(const char *name)
{
	char text[128];
	snprintf(text, sizeof text, "there is no tunnel %.64s: \"gretel show\" lists them", name);
	return reply_error(EXIT_FAILED, text);
}

static json_t *verb_status(struct session *s, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "tunnel"));
	json_t *data = status_json(s, name);
	if (!data)
		return no_such_tunnel(name ? name : "");
	return json_pack("{s:i, s:o}", "exit", EXIT_OK, "data", data);
}

/* Without "config" the daemon stays with the file that it has. */
static json_t *verb_reload(struct session *s, const json_t *request)
{
	struct collected c;
	const char *path = json_string_value(json_object_get(request, "config"));
	if (path && path[0] != '/')
		return reply_error(EXIT_USAGE, "\"config\" must be an absolute path");
	char *config = path ? strdup(path) : s->config ? strdup(s->config) : NULL;
	if (((path || s->config) && !config) || collect_begin(&c) != 0) {
		free(config);
		return reply_error(EXIT_FAILED, "out of memory");
	}
	notify_reloading();
	int e = session_reload(s, config, &c.report, NULL);
	notify_ready();
	if (e != SESSION_AGAIN)
		log_info("reload: %s", e == 0 ? "done" : "see the answer that the command got");
	free(config);
	return collect_end(&c, e);
}

static json_t *verb_down(struct session *s, const json_t *request)
{
	struct collected c;
	(void)request;
	if (collect_begin(&c) != 0)
		return reply_error(EXIT_FAILED, "out of memory");
	int e = session_down(s, &c.report);
	if (s->down) {
		log_info("going down as \"gretel down\" asked");
		uv_stop(s->loop);
	}
	return collect_end(&c, e);
}

static json_t *verb_config(struct session *s, const json_t *request)
{
	struct collected c;
	(void)request;
	if (collect_begin(&c) != 0)
		return reply_error(EXIT_FAILED, "out of memory");
	conf_print(s->conf, c.report.lines);
	return collect_end(&c, EXIT_OK);
}

/* `ip tunnel show` knows no names: with the addresses that they stand for now. */
static void print_in_effect(const struct session *s, size_t index, FILE *out)
{
	struct conf_tunnel tunnel = s->conf->tunnels[index];
	tunnel.local = s->tunnels[index].local;
	tunnel.remote = s->tunnels[index].remote;
	iptunnel_print(&tunnel, out);
}

static json_t *verb_show(struct session *s, const json_t *request)
{
	struct collected c;
	const char *name = json_string_value(json_object_get(request, "tunnel"));
	if (name && !conf_find_tunnel(s->conf, name))
		return no_such_tunnel(name);
	if (collect_begin(&c) != 0)
		return reply_error(EXIT_FAILED, "out of memory");
	for (size_t i = 0; i < s->conf->tunnel_count; i++)
		if (name ? strcmp(name, s->conf->tunnels[i].name) == 0 : !s->conf->tunnels[i].hub)
			print_in_effect(s, i, c.report.lines);
	return collect_end(&c, EXIT_OK);
}

static json_t *edit(struct session *s, const json_t *request, enum added_verb verb)
{
	const json_t *array = json_object_get(request, "words");
	const char *words[MSG_WORDS_MAX];
	size_t count = json_array_size(array);
	struct collected c;
	if (!json_is_array(array) || count > MSG_WORDS_MAX)
		return reply_error(EXIT_USAGE, "\"words\" must be an array of at most 64 strings");
	for (size_t i = 0; i < count; i++) {
		words[i] = json_string_value(json_array_get(array, i));
		if (!words[i] || strlen(words[i]) > MSG_WORD_MAX)
			return reply_error(EXIT_USAGE,
					   "each word must be a string of at most 255 octets");
	}
	if (collect_begin(&c) != 0)
		return reply_error(EXIT_FAILED, "out of memory");
	return collect_end(&c, session_edit(s, verb, words, count, &c.report));
}

static json_t *verb_add(struct session *s, const json_t *request)
{
	return edit(s, request, ADDED_ADD);
}

static json_t *verb_change(struct session *s, const json_t *request)
{
	return edit(s, request, ADDED_CHANGE);
}

static json_t *verb_del(struct session *s, const json_t *request)
{
	return edit(s, request, ADDED_DEL);
}

/* The snapshot; what follows it is published to the client. */
static json_t *verb_monitor(struct session *s, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "tunnel"));
	json_t *data = status_snapshot(s, name);
	if (!data)
		return no_such_tunnel(name ? name : "");
	return json_pack("{s:i, s:o}", "exit", EXIT_OK, "data", data);
}

static const struct verb {
	const char *name;
	json_t *(*answer)(struct session *session, const json_t *request);
} verbs[] = {
	{"add", verb_add},	 {"change", verb_change},   {"config", verb_config},
	{"del", verb_del},	 {"down", verb_down},	    {"monitor", verb_monitor},
	{"ping", verb_ping},	 {"reload", verb_reload},   {"show", verb_show},
	{"status", verb_status}, {"version", verb_version},
};

/* Interfaces in one namespace, and the command that asks for them in another: that is a run
 * directory that was used twice. A request that does not say where it comes from is not refused. */
static bool is_elsewhere(const struct session *s, const json_t *request)
{
	const json_t *netns = json_object_get(request, "netns");
	return json_is_integer(netns) && (uint64_t)json_integer_value(netns) != s->netns;
}

static json_t *answer(const struct verb *verb, struct session *s, struct server_client *client,
		      const json_t *request)
{
	json_t *reply = verb->answer(s, request);
	if (verb->answer == verb_monitor && json_object_get(reply, "data"))
		server_subscribe(client, json_string_value(json_object_get(request, "tunnel")),
				 event_lost);
	return reply;
}

json_t *verbs_answer(void *arg, struct server_client *client, const json_t *request)
{
	struct session *s = arg;
	const char *name = json_string_value(json_object_get(request, "verb"));
	if (!name)
		return reply_error(EXIT_USAGE, "the request has no \"verb\" that is a string");
	if (s->down || !s->conf)
		return reply_error(EXIT_NOT_RUNNING, "greteld is going down");
	char text[160];
	if (is_elsewhere(s, request)) {
		snprintf(text, sizeof text,
			 "greteld (pid %d) of this run directory serves another network namespace: "
			 "choose another directory with -r",
			 (int)getpid());
		return reply_error(EXIT_FAILED, text);
	}
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(name, verbs[i].name) == 0)
			return answer(&verbs[i], s, client, request);
	snprintf(text, sizeof text,
		 "unknown verb \"%.32s\": the verbs are add, change, config, del, down, "
		 "monitor, ping, reload, show, status, version",
		 name);
	return reply_error(EXIT_USAGE, text);
}
