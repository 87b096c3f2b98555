/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.h: what is wrong with a tunnel, found by a process of its own (`greteld --doctor`) that
 * blocks nobody and needs no daemon: that none answers is then one of the findings.
 *
 *   gather.c  what is asked once for all tunnels: files, daemon, kernel
 *   checks.h  the table of checks, in the order in which they are made: from the file and the
 *             daemon over the underlay up to the LAN
 *   check_*.c one thing to find in each; a check is a function that looks, and says what it saw
 *             (doctor_saw) and what is wrong (doctor_found, doctor_mend)
 *   report.c  the answer
 *
 * Which finding is the cause, and stands in the first line: broken comes before degraded, a cause
 * before what is only a symptom (CHECK_SYMPTOM), and then the earlier in the table, since what is
 * below breaks what is above. A check with CHECK_SOUND is not made once something below is broken:
 * it would find the consequences.
 */
#ifndef CTL_DOCTOR_DOCTOR_H
#define CTL_DOCTOR_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl/doctor/checks.h"
#include "ctl/doctor/xfrm.h"
#include "ctl/pass.h"

enum doctor_verdict {
	DOCTOR_HEALTHY,	 /* of a finding: worth knowing, and in the way of nothing */
	DOCTOR_DEGRADED, /* packets pass, but not all, or not for long, or dearly */
	DOCTOR_BROKEN,	 /* packets that should pass do not */
};

/* X(identifier, name shown): from below to above. */
#define DOCTOR_LAYERS(X)                                                \
	X(SITE, "site")		/* file, daemon, interface */           \
	X(UNDERLAY, "underlay") /* from this host to the peer's host */ \
	X(GRE, "gre")		/* protocol 47, keys, options */        \
	X(PATH, "path")		/* sizes */                             \
	X(INSIDE, "inside")	/* through the tunnel to the peer */    \
	X(HOST, "host")		/* forwarding and rules of this host */ \
	X(LAN, "lan")		/* networks behind both ends */

enum doctor_layer {
#define DOCTOR_LAYER_ENUM(id, name) LAYER_##id,
	DOCTOR_LAYERS(DOCTOR_LAYER_ENUM)
#undef DOCTOR_LAYER_ENUM
};

/* Flags of a check; any of these together. */
enum check_flag {
	CHECK_PLAIN = 0,
	CHECK_SOUND = 1,   /* only where nothing was found broken before */
	CHECK_SYMPTOM = 2, /* what it finds has a cause that another check may name */
	CHECK_PROBE = 4,   /* sends packets: needs CAP_NET_RAW */
};

struct doctor;

struct doctor_check {
	const char *name; /* "no-route" */
	enum doctor_layer layer;
	unsigned flags; /* enum check_flag */
	void (*run)(struct doctor *doctor);
	const char *finds; /* one line */
};

/* The table of checks.h, DOCTOR_CHECK_COUNT rows. */
extern const struct doctor_check doctor_checks[];
extern const size_t doctor_check_count;

struct finding {
	const struct doctor_check *check;
	enum doctor_verdict verdict;
	char *cause; /* one plain sentence, without a full stop */
	char *mend;  /* the command, or the line of a file, that mends it; NULL: none is known */
};

/* What became of a check. */
enum check_outcome { CHECK_DONE, CHECK_NOT_SOUND, CHECK_NO_RIGHTS, CHECK_NO_TIME };

struct check_result {
	enum check_outcome outcome;
	char *seen; /* the evidence, lines; NULL: nothing to tell */
};

/* What is the same for all tunnels. */
struct doctor_host {
	const char *config; /* the main file, NULL: none */
	const char *added;  /* the file of `gretel add` */
	const char *run_dir;
	struct conf *file;	 /* what the files say; NULL: they are faulty */
	char *file_faults;	 /* "FILE:LINE: ..." lines; "" */
	struct conf *running;	 /* what the daemon runs; NULL: none answers */
	json_t *status;		 /* the daemon's, when the doctor came; NULL: none answers */
	int daemon_error;	 /* why not: -ENOENT, -ETIMEDOUT, ...; 0: it answers */
	char *daemon_said;	 /* what it said instead of a status, or NULL */
	const struct conf *conf; /* which is examined: `running`, else `file`; NULL: neither */
	struct kernel kernel;
	bool kernel_opened;
	struct state state;
	struct pass pass; /* for `conf` */
	bool pass_made;
	char *pass_error;	 /* why not; "" */
	struct ip_addr far;	 /* --host: behind the peer; family IP_NONE: not given */
	struct xfrm_counts xfrm; /* when the doctor came */
	bool may_send;		 /* CAP_NET_RAW */
	bool may_admin;		 /* CAP_NET_ADMIN */
};

struct probes; /* probes.h: what was sent and came back, made once and shared */
struct inside; /* inside.h: the same of echoes through the tunnel */

/* The examination of one tunnel. */
struct doctor {
	struct doctor_host *host;
	const struct conf *conf;
	const struct conf_tunnel *tunnel;
	size_t index; /* of the tunnel in the conf, and so in actual->ways */
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE]; /* its outer addresses */
	const json_t *status;		/* of this tunnel; NULL: no daemon answers */
	const struct actual *actual;	/* NULL: the kernel could not be read */
	const struct actual_way *way;	/* to the peer; NULL likewise */
	const struct site_tunnel *site; /* likewise */
	const struct link_info *link;	/* the interface of the tunnel's name; NULL: none */
	struct nl *nl;			/* NETLINK_ROUTE; NULL: could not be opened */
	struct probes *probes;
	struct inside *inside; /* inside_get() */
	uint64_t deadline_ns;  /* CLOCK_MONOTONIC: no probe is begun or waited for later */

	const struct doctor_check *now; /* the check that runs */
	struct check_result *results;	/* in the order of the table */
	struct finding *findings; /* in the order of finding; after doctor_sort() the cause first */
	size_t finding_count;
	bool verbose; /* tell the progress on stderr */
};

/* For checks. ---------------------------------------------------------------------------------- */

/* Something is wrong. */
void doctor_found(struct doctor *d, enum doctor_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* What mends the latest finding. */
void doctor_mend(struct doctor *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line of evidence of the check that runs, whatever it concludes. */
void doctor_saw(struct doctor *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* For who waits at a terminal. */
void doctor_progress(const struct doctor *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The worst found so far. */
enum doctor_verdict doctor_verdict(const struct doctor *d);
/* Whether the check of this name has found something degraded or broken. */
bool doctor_has(const struct doctor *d, const char *check);

/* "FILE:LINE" of the key, or of the tunnel's section when the key is not written. */
#define DOCTOR_PLACE_SIZE 512
const char *doctor_place(const struct doctor *d, enum conf_tunnel_key key,
			 char buf[DOCTOR_PLACE_SIZE]);

/* Milliseconds until the deadline, at most `wish`. 0: it is over. */
unsigned doctor_time_left(const struct doctor *d, unsigned wish);

/* A fresh status of this tunnel (`whole`: of the daemon), the caller's to json_decref(); NULL when
 * no daemon answers. */
json_t *doctor_status_now(const struct doctor *d, bool whole);
/* The number at a path of names ("keepalive.sent"); `none` when there is none. */
int64_t doctor_number(const json_t *object, const char *path, int64_t none);
/* The text of a name; "" when there is none. */
const char *doctor_text(const json_t *object, const char *name) __attribute__((returns_nonnull));

/* The VRF that the tunnel's interface is in, or is to be; 0: none. A question about its routes
 * names it as the outgoing device. */
uint32_t doctor_vrf(const struct doctor *d);
/* Whether the kernel looks up the ways of both in the same tables. */
bool doctor_in_same_vrf(const struct doctor *d, const struct link_info *link);

/* For run.c and report.c. ---------------------------------------------------------------------- */

/* Examines tunnel `index` of host->conf. Returns 0 or -ENOMEM. */
int doctor_examine(struct doctor_host *host, size_t index, bool verbose, struct doctor *out);
void doctor_free(struct doctor *d);
/* The order above; pure. */
void doctor_sort(struct finding *findings, size_t count);
const char *doctor_layer_name(enum doctor_layer layer);
const char *doctor_verdict_name(enum doctor_verdict verdict);

#endif
