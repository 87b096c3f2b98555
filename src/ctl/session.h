/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.h: the running site. It holds the configuration and the packet paths, makes the kernel
 * agree with the configuration, and keeps it so. All on the main thread.
 *
 *   session.c  load, plan, apply; the verbs that change something
 *   repair.c   listens to the kernel and looks again when something moved
 *   tunnels.c  how each tunnel fares, and the events of that
 *   status.c   tells
 */
#ifndef CTL_SESSION_H
#define CTL_SESSION_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <uv.h>

#include "ctl/added.h"
#include "ctl/apply.h"
#include "ctl/conf.h"
#include "ctl/lane.h"
#include "ctl/lanes.h"
#include "ctl/names.h"
#include "ctl/pass.h"
#include "ctl/server.h"
#include "ctl/state.h"

enum session_state { SESSION_UP, SESSION_WAITING, SESSION_FAILED };

/* Whether a tunnel can be used: it is in place, and its peer answers if it is asked. Open until the
 * peer that is asked has answered, or has not for long enough. */
enum session_use { USE_OPEN, USE_YES, USE_NO };

/* How a tunnel of the configuration fared at the last look. */
struct session_tunnel {
	enum session_state state;
	char reason[192]; /* "" when up */
	enum session_use use;
	struct ip_addr local, remote; /* in effect; IP_NONE: not known */
};

/* The listening side, for repair.c alone. */
struct repair {
	struct session *session;
	struct watch *links, *rules; /* rules: NULL where the kernel has no nftables */
	uv_poll_t links_poll, rules_poll;
	uv_timer_t look, periodic;
	bool opened;
	bool deaf;		/* not all that is announced is heard any more */
	uint64_t first_ms;	/* of the events that no look has answered yet; 0: none */
	uint64_t hold_until_ms; /* no look before: backing off, or somebody fights us */
	uint64_t backoff_ms;	/* the last one, after failures; 0: none */
	uint64_t window_ms;	/* start of the window in which `repairs` were counted */
	unsigned repairs;
	json_t *removed; /* what others removed since the last look, for its event */
	/* For the status: steps of all repairs, when the last one was, and what others had removed
	 * before the last one that somebody made necessary (NULL: nobody is known). */
	uint64_t steps, last_ms;
	json_t *last_removed;
	char *complaint; /* the last failure that was logged, so that it is logged once */
};

struct session {
	uv_loop_t *loop;
	char run_dir[PATH_MAX];
	char added[PATH_MAX]; /* the file of `gretel add` */
	char *config;	      /* the main file; NULL: none, only added tunnels */
	uint64_t netns;	      /* number of the network namespace that we serve */
	uint64_t started_ms;
	unsigned reloads;

	struct kernel kernel;
	bool kernel_opened;
	struct state state;
	struct dp *dp;
	struct lanes *lanes; /* borrowed */
	struct lane *lane;
	struct conf *conf;		/* NULL: nothing is in place */
	struct session_tunnel *tunnels; /* in the conf's order */
	struct repair repair;
	struct hooks *hooks;
	struct names *names;
	bool names_unsaved; /* some peer has an address that state.json does not have */
	/* Called when a SESSION_AGAIN is to be tried again; NULL: nobody waits. */
	void (*on_settled)(void *arg);
	void *settled_arg;
	struct server *server; /* borrowed, for events; NULL: nobody can listen yet */
	bool down;	       /* session_down() has been done: the daemon is to end */
};

/* Opens what is needed to talk to the kernel. `lanes` stays the caller's. Returns 0, or -errno and
 * a line on `errors`. */
int session_open(uv_loop_t *loop, const char *run_dir, struct lanes *lanes, FILE *errors,
		 struct session **out);
/* Stops listening and the packet threads; what the kernel holds stays as it is. The loop has to
 * turn once more before session_free(). */
void session_stop(struct session *session);
void session_free(struct session *session);

/* Names of the configuration are being looked up for the first time: nothing was done, and the same
 * call will do it when session->on_settled is called, after NAMES_WAIT_MS at the latest. */
#define SESSION_AGAIN (-1)

/*
 * Reads `config` (NULL: none, only added tunnels) and makes it so; on any failure what was in place
 * before stays, or is put back. Returns SESSION_AGAIN or an enum msg_exit: EXIT_FAILED also when
 * all was applied but a tunnel has to wait; session->conf is then the new one. *accepted (may be
 * NULL) tells the two apart.
 */
int session_reload(struct session *session, const char *config, const struct report *report,
		   bool *accepted);
/* The words of `gretel add`, `change` and `del`. Returns the same. */
int session_edit(struct session *session, enum added_verb verb, const char *const *words,
		 size_t count, const struct report *report);
/* Takes everything back that greteld ever made. On failure all stays. Returns an enum msg_exit. */
int session_down(struct session *session, const struct report *report);
/* Looks at the kernel and repairs. Returns the number of steps made, or -1 and lines on `errors`.
 * *steps, the caller's to free, are their texts, one a line. */
int session_look(struct session *session, FILE *errors, char **steps);

/* repair.c. 0, or -errno and a line on `errors`. */
int repair_open(struct session *session, FILE *errors);
void repair_close(struct session *session);
/* Look again soon. */
void repair_arm(struct session *session);
/* Hears what has been announced by now, so that what is kept of the last look is true. False when
 * not everything is heard: nothing may be kept then. */
bool repair_hears(struct session *session);
/* Whether somebody undoes again and again what is repaired. */
bool repair_fights(const struct session *session);

/* tunnels.c. Notes how each tunnel of `conf` fares after its plan was applied, and tells what is
 * new against s->conf. 0 or -ENOMEM. */
int tunnels_note(struct session *session, const struct conf *conf, const struct pass *pass);
/* The plan for s->conf was refused, which can happen to a running site when a route moves: says so
 * in the state of the tunnels that are meant. */
void tunnels_note_refusals(struct session *session, const struct pass *pass);
/* A keepalive of this tunnel has come to another verdict. */
void tunnels_note_verdict(struct session *session, const char *name);
/* All have been taken away. */
void tunnels_note_down(struct session *session);

/* session_hooks.c: the commands of tunnels. */
int session_hooks_open(struct session *session);
/* The tunnel can be used now, or not any more, for this reason: runs its command for that. */
void session_hooks_note(struct session *session, const struct conf_tunnel *tunnel, bool up,
			const char *reason);
/* Lets those that run and wait end, HOOK_LIMIT_MS at most. */
void session_hooks_finish(struct session *session);
void session_hooks_close(struct session *session);

/* session_names.c: the names of peers, and where peers behind a NAT are. */
int session_names_open(struct session *session);
/* The peer of this tunnel does not answer, or does again: its name may mean another one now. */
void session_names_silent(struct session *session, const struct conf_tunnel *tunnel, bool silent);
/* The peer of a tunnel with `remote = any` has proved to be there. */
void session_names_proved(struct session *session, const struct dp_event *event);
/* Forgets such peers of tunnels that the conf does not have. */
void session_names_keep(struct session *session);
/* Writes down what was found since the last time. */
void session_names_save(struct session *session);
void session_names_close(struct session *session);

/* status.c. The whole answer of `gretel status`, or of one tunnel; NULL when there is none of that
 * name. */
json_t *status_json(const struct session *session, const char *name);
/* How the tunnels are, without counters: the first line of `gretel monitor`. */
json_t *status_snapshot(const struct session *session, const char *name);
extern const char *const session_state_names[];
extern const char *const status_keepalive_names[];
/* Since when the peer has been silent: a reason. */
void status_silence(const struct dp_keepalive *keepalive, char *out, size_t size);

/* verbs.c: the reply to a request of the control socket; `arg` is the session. */
json_t *verbs_answer(void *arg, struct server_client *client, const json_t *request);

#endif
