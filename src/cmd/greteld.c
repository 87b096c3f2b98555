/* SPDX-License-Identifier: GPL-2.0-or-later */
/* greteld.c: the daemon. main() and serve() are the start-up, phase by phase. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/file.h"
#include "base/log.h"
#include "ctl/doctor/run.h"
#include "ctl/import/import.h"
#include "ctl/instance.h"
#include "ctl/lanes.h"
#include "ctl/msg.h"
#include "ctl/notify.h"
#include "ctl/oneshot.h"
#include "ctl/server.h"
#include "ctl/session.h"
#include "os/privilege.h"

enum mode {
	MODE_SERVE,
	MODE_CHECK,
	MODE_PLAN,
	MODE_CONFIG,
	MODE_DOWN,
	MODE_DOCTOR,
	MODE_PEER,
	MODE_IMPORT,
	MODE_VERSION,
	MODE_HELP
};

struct settings {
	enum mode mode;
	bool foreground;
	bool json, verbose;
	const char *host;	     /* the address of --host */
	const char *peer, *peer_for; /* the names of --peer and --for */
	bool add;		     /* the words after the options are those of `gretel add` */
	const char *config;	     /* NULL: no main file, only added tunnels */
	const char *run_dir;
	char config_path[PATH_MAX], run_path[PATH_MAX];
	char added[PATH_MAX];
	char **words;
	int word_count;
	uint32_t flows; /* that the fast lanes remember */
};

static const struct option options[] = {
	{"file", required_argument, NULL, 'c'}, {"run-dir", required_argument, NULL, 'r'},
	{"foreground", no_argument, NULL, 'f'}, {"verbose", no_argument, NULL, 'v'},
	{"check", no_argument, NULL, 'C'},	{"plan", no_argument, NULL, 'P'},
	{"config", no_argument, NULL, 'O'},	{"down", no_argument, NULL, 'D'},
	{"add", no_argument, NULL, 'A'},	{"version", no_argument, NULL, 'V'},
	{"doctor", no_argument, NULL, 'X'},	{"json", no_argument, NULL, 'J'},
	{"host", required_argument, NULL, 'H'}, {"peer", required_argument, NULL, 'E'},
	{"for", required_argument, NULL, 'F'},	{"import", no_argument, NULL, 'I'},
	{"help", no_argument, NULL, 'h'},	{0},
};

static const char usage[] =
	"usage: greteld [-fv] [-c FILE] [-r DIR] [--check | --plan | --config | --down]\n"
	"       greteld [-v] [-c FILE] [-r DIR] [--json] --doctor [--host ADDRESS]\n"
	"               [TUNNEL]\n"
	"       greteld [-c FILE] [-r DIR] --peer TUNNEL --for SYSTEM\n"
	"       greteld --import [NAME | all | FILE ...]\n"
	"       greteld [-fv] [-c FILE] [-r DIR] --add NAME WORD ...\n";

static const char help[] =
	"\noptions:\n"
	"  -c, --file FILE     the configuration (default " MSG_CONFIG_FILE ")\n"
	"  -r, --run-dir DIR   where socket and state are kept (default $" MSG_RUN_DIR_ENV
	" or " MSG_RUN_DIR ")\n"
	"  -f, --foreground    stay in the foreground, log to stderr\n"
	"  -v, --verbose       log more\n"
	"      --check         read the configuration, say what is wrong with it, and end\n"
	"      --plan          print what would be changed, and end\n"
	"      --config        print the effective configuration, and end\n"
	"      --down          remove what a daemon that was killed has left, and end\n"
	"      --doctor        examine the tunnels, or the one whose name follows, and end\n"
	"      --json          with --doctor: answer in JSON\n"
	"      --host ADDRESS  with --doctor: a host behind the peer that should answer\n"
	"      --peer TUNNEL   print what the other end of the tunnel needs, and end\n"
	"      --for SYSTEM    with --peer: what runs there\n"
	"      --import        print tunnels of the kernel or of networkd as a file of ours, and "
	"end\n"
	"      --add           start with one more tunnel, in the words of \"gretel add\"\n"
	"  -V, --version       print the version\n"
	"  -h, --help          print this text\n\nexit codes:\n";

static void print_help(void)
{
	fputs(usage, stdout);
	fputs(help, stdout);
#define PRINT_EXIT(id, value, text) printf("  %d  %s\n", value, text);
	MSG_EXITS(PRINT_EXIT)
#undef PRINT_EXIT
}

static int wrong_usage(const char *what, const char *word)
{
	fprintf(stderr, "greteld: %s%s\n%s", what, word, usage);
	return EXIT_USAGE;
}

/* Each mode has a letter; only one may be asked for. */
static int set_mode(struct settings *s, int letter)
{
	static const char letters[] = "CPODXEIVh";
	enum mode mode = (enum mode)(strchr(letters, letter) - letters + 1);
	if (s->mode != MODE_SERVE && s->mode != mode)
		return wrong_usage("more than one thing to do", "");
	s->mode = mode;
	return 0;
}

static int read_options(int argc, char **argv, struct settings *s)
{
	int letter, e = 0;
	s->run_dir = getenv(MSG_RUN_DIR_ENV);
	while (e == 0 && (letter = getopt_long(argc, argv, "+c:r:fvVh", options, NULL)) != -1) {
		switch (letter) {
		case 'c':
			s->config = optarg;
			break;
		case 'r':
			s->run_dir = optarg;
			break;
		case 'f':
			s->foreground = true;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			s->verbose = true;
			break;
		case 'J':
			s->json = true;
			break;
		case 'H':
			s->host = optarg;
			break;
		case 'E':
			s->peer = optarg;
			e = set_mode(s, letter);
			break;
		case 'F':
			s->peer_for = optarg;
			break;
		case 'A':
			s->add = true;
			break;
		case '?':
			fputs(usage, stderr);
			return EXIT_USAGE;
		default:
			e = set_mode(s, letter);
		}
	}
	s->words = argv + optind;
	s->word_count = argc - optind;
	bool any_words = s->add || s->mode == MODE_IMPORT;
	if (e == 0 && s->word_count > (s->mode == MODE_DOCTOR) && !any_words)
		e = wrong_usage("too many words: ", s->words[s->word_count - 1]);
	if (e == 0 && s->add && s->mode != MODE_SERVE)
		e = wrong_usage("more than one thing to do", "");
	return e;
}

/* A main file that nobody named may be missing where there are added tunnels. */
static int settle_paths(struct settings *s)
{
	const char *run_dir = s->run_dir && s->run_dir[0] ? s->run_dir : MSG_RUN_DIR;
	s->run_dir = file_absolute(run_dir, s->run_path);
	if (!s->run_dir || snprintf(s->added, sizeof s->added, "%s/%s", s->run_dir, MSG_ADDED) >=
				   (int)sizeof s->added)
		return wrong_usage("the path is too long: ", run_dir);
	const char *config = s->config;
	if (config) {
		s->config = file_absolute(config, s->config_path);
		return s->config ? 0 : wrong_usage("the path is too long: ", config);
	}
	if (access(MSG_CONFIG_FILE, F_OK) == 0 || (!s->add && access(s->added, F_OK) != 0))
		s->config = MSG_CONFIG_FILE;
	return 0;
}

static int run_oneshot(const struct settings *s, const struct report *report)
{
	switch (s->mode) {
	case MODE_CHECK:
		return oneshot_check(s->config, report);
	case MODE_PLAN:
		return oneshot_plan(s->config, s->added, s->run_dir, report);
	case MODE_CONFIG:
		return oneshot_config(s->config, s->added, report);
	case MODE_DOWN:
		return oneshot_down(s->run_dir, s->added, report);
	case MODE_DOCTOR:
		return doctor_run(s->config, s->added, s->run_dir,
				  s->word_count ? s->words[0] : NULL, s->host, s->json,
				  s->verbose || isatty(STDERR_FILENO), report);
	case MODE_PEER:
		return oneshot_peer(s->config, s->added, s->run_dir, s->peer, s->peer_for, report);
	case MODE_IMPORT:
		return import_run((const char *const *)s->words, (size_t)s->word_count, report);
	case MODE_VERSION:
		puts("greteld " GRETEL_VERSION);
		return EXIT_OK;
	case MODE_HELP:
		print_help();
		return EXIT_OK;
	case MODE_SERVE:
		break;
	}
	return EXIT_FAILED;
}

/* The faults of the configuration, and of the words of --add, belong on the terminal, before
 * anything is begun. */
static int check_config(struct settings *s)
{
	struct conf *conf;
	char *text = NULL;
	if (conf_load(s->config, s->added, stderr, &conf) != 0)
		return EXIT_CONFIG;
	int e = 0;
	s->flows = conf->flows;
	if (s->add)
		e = added_edit(s->added, ADDED_ADD, (const char *const *)s->words,
			       (size_t)s->word_count, conf, stderr, &text);
	free(text);
	conf_free(conf);
	return e;
}

/* The parent waits until the child is ready, or has failed, and ends with the child's word.
 * Returns, in the child, the pipe to tell it on. */
static int go_background(void)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0) {
		fprintf(stderr, "greteld: pipe: %s\n", strerror(errno));
		exit(EXIT_FAILED);
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		setsid();
		return fds[1];
	}
	unsigned char code = EXIT_FAILED;
	close(fds[1]);
	ssize_t n = pid < 0 ? -1 : read(fds[0], &code, 1);
	if (pid < 0) {
		fprintf(stderr, "greteld: fork: %s\n", strerror(errno));
	} else if (n != 1) {
		int status = 0;
		waitpid(pid, &status, 0);
		if (WIFSIGNALED(status))
			fprintf(stderr, "greteld: ended by signal %d while it started\n",
				WTERMSIG(status));
		else
			code = (unsigned char)WEXITSTATUS(status);
	}
	_exit(code);
}

/* Lets the parent and the terminal go. */
static void tell_parent(int pipe_fd, int code)
{
	unsigned char byte = (unsigned char)code;
	log_to_syslog();
	fflush(NULL);
	int null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	if (write(pipe_fd, &byte, 1) != 1)
		log_warn("the process that started greteld has gone");
	close(pipe_fd);
}

struct signals {
	uv_signal_t term, interrupt, hangup, leave;
	struct session *session;
};

static void log_text(enum log_level level, const char *text)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");
		log_line(level, "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static int reload_same(struct session *session, const struct report *report)
{
	char *config = session->config ? strdup(session->config) : NULL;
	notify_reloading();
	int e = session_reload(session, config, report, NULL);
	notify_ready();
	free(config);
	return e;
}

/* Does `what` and logs its words, since nobody listens. */
static int do_logged(struct session *session, int (*what)(struct session *, const struct report *))
{
	char *texts[2] = {NULL, NULL};
	size_t sizes[2];
	struct report report = {open_memstream(&texts[0], &sizes[0]),
				open_memstream(&texts[1], &sizes[1])};
	int e = report.lines && report.errors ? what(session, &report) : EXIT_FAILED;
	if (report.lines)
		fclose(report.lines);
	if (report.errors)
		fclose(report.errors);
	log_text(LOG_LEVEL_INFO, texts[0]);
	log_text(LOG_LEVEL_ERROR, texts[1]);
	free(texts[0]);
	free(texts[1]);
	return e;
}

/* Of a SIGHUP that has to wait for names; there is one daemon in a process. */
static bool reload_waits;

static void on_hangup(uv_signal_t *signal, int number)
{
	(void)number;
	reload_waits = do_logged(signal->data, reload_same) == SESSION_AGAIN;
}

/* What had to wait for names goes on. */
static void on_settled(void *arg)
{
	struct session *session = arg;
	if (reload_waits && !session->down)
		reload_waits = do_logged(session, reload_same) == SESSION_AGAIN;
	if (session->server)
		server_again(session->server);
}

static void on_terminate(uv_signal_t *signal, int number)
{
	struct session *session = signal->data;
	log_info("%s: going down", strsignal(number));
	uv_stop(session->loop);
}

/* Another greteld is to take over: nothing is taken back, and the kernel lanes go on. */
static bool leaves;

static void on_leave(uv_signal_t *signal, int number)
{
	struct session *session = signal->data;
	log_info("%s: leaving all in place for the next greteld", strsignal(number));
	leaves = true;
	uv_stop(session->loop);
}

static void watch_signals(struct signals *signals, struct session *session)
{
	uv_signal_t *all[] = {&signals->term, &signals->interrupt, &signals->hangup,
			      &signals->leave};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		uv_signal_init(session->loop, all[i]);
		all[i]->data = session;
	}
	uv_signal_start(&signals->term, on_terminate, SIGTERM);
	uv_signal_start(&signals->interrupt, on_terminate, SIGINT);
	uv_signal_start(&signals->hangup, on_hangup, SIGHUP);
	uv_signal_start(&signals->leave, on_leave, SIGUSR2);
	signal(SIGPIPE, SIG_IGN);
}

static void close_if_open(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void on_late(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Lets handles close and last replies go out, one second at most. */
static void drain(uv_loop_t *loop)
{
	uv_timer_t late;
	uv_timer_init(loop, &late);
	uv_timer_start(&late, on_late, 1000, 0);
	uv_unref((uv_handle_t *)&late);
	uv_run(loop, UV_RUN_DEFAULT);
	uv_walk(loop, close_if_open, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
}

static int first_load(const struct settings *s, struct session *session,
		      const struct report *report)
{
	if (!s->add)
		return session_reload(session, s->config, report, NULL);
	return session_edit(session, ADDED_ADD, (const char *const *)s->words,
			    (size_t)s->word_count, report);
}

/* Opens what a session needs and makes the configuration so. Returns an enum msg_exit; with
 * session->conf set the site stands, whatever the code. */
static int begin_session(const struct settings *s, uv_loop_t *loop, struct lanes *lanes,
			 struct session **out)
{
	const struct report report = {stdout, stderr};
	struct session *session;
	if (session_open(loop, s->run_dir, lanes, stderr, &session) != 0)
		return EXIT_FAILED;
	*out = session;
	if (repair_open(session, stderr) != 0)
		return EXIT_FAILED;
	session->config = s->config ? strdup(s->config) : NULL;
	int code = first_load(s, session, &report);
	/* There is nothing else to do until the names of peers are known. */
	while (code == SESSION_AGAIN) {
		uv_run(loop, UV_RUN_ONCE);
		code = first_load(s, session, &report);
	}
	return code;
}

static int open_control(const struct settings *s, struct instance *instance,
			struct session *session, struct server **out)
{
	char path[PATH_MAX];
	int e = snprintf(path, sizeof path, "%s/%s", s->run_dir, MSG_SOCKET) >= (int)sizeof path
			? -ENAMETOOLONG
			: server_open(session->loop, path, verbs_answer, session, out);
	if (e == 0)
		session->server = *out;
	session->on_settled = on_settled;
	session->settled_arg = session;
	if (e == 0)
		e = instance_answer(instance, session->loop);
	if (e)
		fprintf(stderr, "control socket in %s: %s\n", s->run_dir, strerror(-e));
	return e;
}

/* Runs until a signal or `gretel down` ends it. */
static int run_loop(struct session *session, int ready_fd, int code)
{
	static struct signals signals; /* closing takes a turn of the loop */
	watch_signals(&signals, session);
	notify_watchdog_start(session->loop);
	if (ready_fd >= 0)
		tell_parent(ready_fd, code);
	fflush(NULL);
	notify_ready();
	uv_run(session->loop, UV_RUN_DEFAULT);
	notify_stopping();
	int e = session->down ? 0 : leaves ? EXIT_FAILED : do_logged(session, session_down);
	session_hooks_finish(session);
	notify_watchdog_stop();
	uv_close((uv_handle_t *)&signals.term, NULL);
	uv_close((uv_handle_t *)&signals.interrupt, NULL);
	uv_close((uv_handle_t *)&signals.hangup, NULL);
	uv_close((uv_handle_t *)&signals.leave, NULL);
	uv_run(session->loop, UV_RUN_NOWAIT);
	return e;
}

static int serve(const struct settings *s, int ready_fd)
{
	struct instance instance;
	struct session *session = NULL;
	struct server *server = NULL;
	uv_loop_t *loop = uv_default_loop();
	if (!loop || instance_take(s->run_dir, stderr, &instance) != 0)
		return EXIT_FAILED;
	int e = privilege_raise_files();
	if (e)
		log_warn("limit of open files: %s", strerror(-e));
	struct lanes *lanes = lanes_begin(loop, s->run_dir, s->flows);
	e = privilege_drop();
	if (e)
		log_warn("giving up privileges: %s", strerror(-e));

	int code = begin_session(s, loop, lanes, &session);
	if (session && session->conf) {
		if (open_control(s, &instance, session, &server) == 0) {
			code = run_loop(session, ready_fd, code);
		} else {
			do_logged(session, session_down);
			code = EXIT_FAILED;
		}
	}

	/* Last of all the clients' connections: "gretel down" waits for them. */
	if (session)
		session_stop(session);
	lanes_close(lanes);
	instance_release(&instance);
	if (server)
		server_close(server);
	drain(loop);
	if (session)
		session_free(session);
	lanes_free(lanes);
	uv_loop_close(loop);
	return code;
}

int main(int argc, char **argv)
{
	static struct settings settings;
	const struct report report = {stdout, stderr};
	int e = read_options(argc, argv, &settings);
	if (e == 0)
		e = settle_paths(&settings);
	if (e)
		return e;
	if (settings.mode != MODE_SERVE)
		return run_oneshot(&settings, &report);
	e = check_config(&settings);
	if (e)
		return e;
	int ready_fd = settings.foreground ? -1 : go_background();
	if (chdir("/") < 0)
		log_warn("chdir: %s", strerror(errno));
	return serve(&settings, ready_fd);
}
