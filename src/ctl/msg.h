/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msg.h: what `gretel` and `greteld` must agree on.
 *
 * They talk over a stream socket, RUN_DIR/control.sock, one JSON object a line, one reply for each
 * request, in order:
 *
 *   {"verb": "reload", "config": "/etc/gretel/gretel.conf"}
 *   {"exit": 0, "lines": ["create interface My_Tunnel", ...], "data": {...}}
 *   {"exit": 3, "error": "gretel.conf:4: no such key \"rout\": ..."}
 *
 * `exit` is always there and is what the command exits with. `lines` are for people, `data` for
 * programs, `error` is text of one or more lines.
 */
#ifndef CTL_MSG_H
#define CTL_MSG_H

#define MSG_CONFIG_FILE "/etc/gretel/gretel.conf"
#define MSG_RUN_DIR	"/run/gretel"
#define MSG_RUN_DIR_ENV "GRETEL_RUN_DIR"
#define MSG_DAEMON_ENV	"GRETELD" /* where greteld is, for a gretel that is not installed */

/* Files of the run directory. */
#define MSG_SOCKET "control.sock"
#define MSG_PID	   "greteld.pid"
#define MSG_STATE  "state.json"
#define MSG_ADDED  "added.conf"

/* A longer request is refused. A reply is as long as it must be. */
#define MSG_REQUEST_MAX 65536
/* Words of `gretel add`, and the octets of one. */
#define MSG_WORDS_MAX 64
#define MSG_WORD_MAX  255

/* X(identifier, value, what it means) */
#define MSG_EXITS(X)                                                                      \
	X(OK, 0, "done, or the answer is yes")                                            \
	X(FAILED, 1, "the system refused something, or a tunnel is not in place")         \
	X(USAGE, 2, "the command line is wrong")                                          \
	X(CONFIG, 3, "the configuration is wrong; nothing was touched")                   \
	X(NOT_RUNNING, 4, "no daemon answers on the run directory's control socket")      \
	X(CHANGES, 5, "only from plan and \"greteld --plan\": there are changes to make") \
	X(DEGRADED, 6, "only from doctor: packets pass, but not as they should")          \
	X(BROKEN, 7, "only from doctor: a tunnel does not carry packets")

enum msg_exit {
#define MSG_EXIT_ENUM(id, value, text) EXIT_##id = value,
	MSG_EXITS(MSG_EXIT_ENUM)
#undef MSG_EXIT_ENUM
};

#endif
