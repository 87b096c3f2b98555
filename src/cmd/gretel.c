/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gretel.c: the command. It talks to greteld, or runs it; it knows nothing of the kernel. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/client.h"
#include "ctl/msg.h"

typedef int (*verb_fn)(const struct client *client, int argc, char **argv);

static int verb_check(const struct client *, int, char **);
static int verb_plan(const struct client *, int, char **);
static int verb_up(const struct client *, int, char **);
static int verb_down(const struct client *, int, char **);
static int verb_reload(const struct client *, int, char **);
static int verb_status(const struct client *, int, char **);
static int verb_doctor(const struct client *, int, char **);
static int verb_monitor(const struct client *, int, char **);
static int verb_config(const struct client *, int, char **);
static int verb_peer(const struct client *, int, char **);
static int verb_import(const struct client *, int, char **);
static int verb_add(const struct client *, int, char **);
static int verb_change(const struct client *, int, char **);
static int verb_del(const struct client *, int, char **);
static int verb_show(const struct client *, int, char **);
static int verb_version(const struct client *, int, char **);
static int verb_help(const struct client *, int, char **);

/* Below the help of a verb that takes them. */
static const char tunnel_words[] =
	"words, which may be shortened:\n"
	"  mode | type MODE              gre, ip6gre (packets), gretap, ip6gretap (frames)\n"
	"  remote ADDRESS                outer address of the peer\n"
	"  local ADDRESS                 outer address of this host\n"
	"  name NAME                     the tunnel, where it is not the first word\n"
	"  dev DEVICE                    device that outer packets leave by\n"
	"  fwmark NUMBER                 firewall mark of outer packets, 0 for none\n"
	"  ttl | hoplimit | hlim N       1 to 255, or inherit\n"
	"  tos | tclass | dsfield VALUE  two hexadecimal digits, a name such as CS6, or inherit\n"
	"  mtu OCTETS                    otherwise it follows the path\n"
	"  key | ikey | okey KEY         of both directions, received, sent; and nokey, noikey, "
	"nookey\n"
	"  csum, icsum, ocsum            checksums; and nocsum, noicsum, noocsum\n"
	"  seq, iseq, oseq               sequence numbers; and noseq, noiseq, nooseq\n"
	"  pmtudisc, nopmtudisc          don't-fragment bit always, or the passenger's\n"
	"  ignore-df, noignore-df        with nopmtudisc: never\n";

static const struct verb {
	const char *name;
	const char *words; /* after the name */
	const char *help;
	int min, max; /* how many words */
	verb_fn run;
	const char *more; /* lines below the help */
} verbs[] = {
	{"check", "[FILE]", "read the file, say what is wrong with it, touch nothing", 0, 1,
	 verb_check},
	{"plan", "", "show what \"up\" or \"reload\" would change, change nothing", 0, 0,
	 verb_plan},
	{"up", "", "make it so, and start greteld where none answers", 0, 0, verb_up},
	{"down", "", "undo it, and stop greteld", 0, 0, verb_down},
	{"reload", "", "read the file again and apply the difference", 0, 0, verb_reload},
	{"status", "[TUNNEL]", "show how the tunnels are", 0, 1, verb_status},
	{"doctor", "[TUNNEL] [--host ADDRESS]", "find out what is wrong, and what mends it", 0, 1,
	 verb_doctor},
	{"monitor", "[TUNNEL]", "print what happens, as it happens, one JSON object a line", 0, 1,
	 verb_monitor},
	{"config", "", "print the effective configuration, defaults filled in", 0, 0, verb_config},
	{"peer", "TUNNEL --for SYSTEM",
	 "print what the other end needs, in the words of its system", 1, 1, verb_peer},
	{"import", "[NAME | all | FILE ...]",
	 "print tunnels of the kernel or of systemd-networkd as a file of ours", 0, MSG_WORDS_MAX,
	 verb_import},
	{"add", "NAME mode MODE remote ADDRESS local ADDRESS [WORD ...]",
	 "add a tunnel, in the words of \"ip tunnel add\"", 1, MSG_WORDS_MAX, verb_add,
	 tunnel_words},
	{"change", "NAME WORD ...", "change a tunnel that was added", 2, MSG_WORDS_MAX, verb_change,
	 tunnel_words},
	{"del", "NAME", "delete a tunnel that was added", 1, MSG_WORDS_MAX, verb_del},
	{"show", "[NAME]", "list the tunnels in the words of \"ip tunnel show\"", 0, 1, verb_show},
	{"version", "", "print the version", 0, 0, verb_version},
	{"help", "[VERB]", "explain a verb, or list them", 0, 1, verb_help},
};

#define VERBS (sizeof verbs / sizeof verbs[0])

static const struct option options[] = {
	{"file", required_argument, NULL, 'c'}, {"run-dir", required_argument, NULL, 'r'},
	{"json", no_argument, NULL, 'j'},	{"for", required_argument, NULL, 'F'},
	{"host", required_argument, NULL, 'H'}, {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},	{0}};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static int ask(const struct client *client, json_t *request, bool until_gone, json_t **reply)
{
	int e = client_ask(client, request, until_gone, reply);
	if (e == 0)
		return 0;
	if (e == -ENOENT)
		return client_fail(client, EXIT_NOT_RUNNING,
				   "greteld is not running (no answer on %s/%s): start it with "
				   "\"gretel up\"",
				   client->run_dir, MSG_SOCKET);
	if (e == -ECONNRESET)
		return client_fail(client, EXIT_FAILED, "greteld ended before it answered");
	return EXIT_FAILED;
}

/* No daemon, or one that was just ending: greteld itself waits until that one is gone. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ECONNRESET;
}

/* Goes with a request that is about the caller's network namespace, so that a daemon of another one
 * that was given the same run directory refuses it. */
static json_t *with_namespace(json_t *request)
{
	struct stat st;
	if (request && stat("/proc/self/ns/net", &st) == 0)
		json_object_set_new(request, "netns", json_integer((json_int_t)st.st_ino));
	return request;
}

/* Without -c the commands that start another greteld read the file that the running one reads.
 * `path` is the caller's buffer; *running tells whether there is one. */
static struct client with_daemon_config(const struct client *client, char path[PATH_MAX],
					bool *running)
{
	struct client c = *client;
	json_t *request = with_namespace(json_pack("{s:s}", "verb", "ping")), *reply;
	*running = client_ask(client, request, false, &reply) == 0;
	if (!*running)
		return c;
	const char *config = NULL;
	json_unpack(reply, "{s:{s?s}}", "data", "config", &config);
	if (!c.config && config && snprintf(path, PATH_MAX, "%s", config) < PATH_MAX)
		c.config = path;
	json_decref(reply);
	return c;
}

static int verb_check(const struct client *client, int argc, char **argv)
{
	char path[PATH_MAX];
	bool running;
	struct client c = argc > 0 ? *client : with_daemon_config(client, path, &running);
	if (argc > 0)
		c.config = file_absolute(argv[0], path);
	if (argc > 0 && !c.config)
		return client_fail(client, EXIT_USAGE, "%s: the path is too long", argv[0]);
	return client_run_daemon(&c, (const char *const[]){"--check", NULL});
}

static int verb_plan(const struct client *client, int argc, char **argv)
{
	char path[PATH_MAX];
	bool running;
	struct client c = with_daemon_config(client, path, &running);
	(void)argc;
	(void)argv;
	int code = client_run_daemon(&c, (const char *const[]){"--plan", NULL});
	if (!running && !client->json && (code == EXIT_OK || code == EXIT_CHANGES))
		fputs("note: greteld is not running; \"gretel up\" starts it\n", stderr);
	return code;
}

static int verb_up(const struct client *client, int argc, char **argv)
{
	json_t *reply;
	(void)argc;
	(void)argv;
	json_t *request = json_pack("{s:s, s:s*}", "verb", "reload", "config", client->config);
	int e = client_ask(client, with_namespace(request), false, &reply);
	if (e == 0)
		return client_finish(client, reply, false);
	if (!is_gone(e))
		return EXIT_FAILED;
	return client_run_daemon(client, (const char *const[]){NULL});
}

static int verb_down(const struct client *client, int argc, char **argv)
{
	json_t *reply;
	(void)argc;
	(void)argv;
	int e = client_ask(client, json_pack("{s:s}", "verb", "down"), true, &reply);
	if (e == 0)
		return client_finish(client, reply, false);
	if (!is_gone(e))
		return EXIT_FAILED;
	return client_run_daemon(client, (const char *const[]){"--down", NULL});
}

static int verb_reload(const struct client *client, int argc, char **argv)
{
	json_t *reply;
	(void)argc;
	(void)argv;
	int e = ask(client, json_pack("{s:s, s:s*}", "verb", "reload", "config", client->config),
		    false, &reply);
	return e ? e : client_finish(client, reply, false);
}

static int verb_status(const struct client *client, int argc, char **argv)
{
	json_t *reply;
	const char *tunnel = argc > 0 ? argv[0] : NULL;
	int e = ask(client, json_pack("{s:s, s:s*}", "verb", "status", "tunnel", tunnel), false,
		    &reply);
	if (e)
		return e;
	if (!client->json && json_object_get(reply, "data"))
		client_print_status(json_object_get(reply, "data"), tunnel != NULL);
	return client_finish(client, reply, true);
}

/* greteld's answer is JSON already; what it cannot even begin is told on stderr. */
static int verb_doctor(const struct client *client, int argc, char **argv)
{
	char path[PATH_MAX];
	bool running;
	struct client c = with_daemon_config(client, path, &running);
	const char *args[7] = {"--doctor"};
	size_t used = 1;
	c.json = false;
	if (client->json)
		args[used++] = "--json";
	if (client->host) {
		args[used++] = "--host";
		args[used++] = client->host;
	}
	args[used++] = "--";
	if (argc > 0)
		args[used] = argv[0];
	return client_run_daemon(&c, args);
}

static int verb_monitor(const struct client *client, int argc, char **argv)
{
	return monitor_run(client, argc > 0 ? argv[0] : NULL);
}

static int verb_config(const struct client *client, int argc, char **argv)
{
	char path[PATH_MAX];
	bool running;
	struct client c = with_daemon_config(client, path, &running);
	(void)argc;
	(void)argv;
	return client_run_daemon(&c, (const char *const[]){"--config", NULL});
}

static int verb_peer(const struct client *client, int argc, char **argv)
{
	char path[PATH_MAX];
	bool running;
	struct client c = with_daemon_config(client, path, &running);
	(void)argc;
	return client_run_daemon(&c, (const char *const[]){"--peer", argv[0],
							   client->peer_for ? "--for" : NULL,
							   client->peer_for, NULL});
}

static int verb_import(const struct client *client, int argc, char **argv)
{
	const char *args[MSG_WORDS_MAX + 3] = {"--import", "--"};
	for (int i = 0; i < argc; i++)
		args[i + 2] = argv[i];
	return client_run_daemon(client, args);
}

static json_t *words_request(const char *verb, int argc, char **argv)
{
	json_t *words = json_array();
	for (int i = 0; i < argc; i++)
		if (json_array_append_new(words, json_string(argv[i])) != 0)
			break;
	if ((int)json_array_size(words) != argc) {
		json_decref(words);
		return NULL;
	}
	return json_pack("{s:s, s:o}", "verb", verb, "words", words);
}

/* What cannot be sent is told before anything is. */
static int check_words(const struct client *client, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		json_t *word = json_string(argv[i]);
		json_decref(word);
		if (!word || strlen(argv[i]) > MSG_WORD_MAX)
			return client_fail(client, EXIT_USAGE,
					   "word %d is not UTF-8 text of at most %d octets", i + 1,
					   MSG_WORD_MAX);
	}
	return 0;
}

static int verb_add(const struct client *client, int argc, char **argv)
{
	const char *args[MSG_WORDS_MAX + 3] = {"--add", "--"};
	json_t *reply;
	int e = check_words(client, argc, argv);
	if (e)
		return e;
	e = client_ask(client, with_namespace(words_request("add", argc, argv)), false, &reply);
	if (e == 0)
		return client_finish(client, reply, false);
	if (!is_gone(e))
		return EXIT_FAILED;
	for (int i = 0; i < argc; i++)
		args[i + 2] = argv[i];
	return client_run_daemon(client, args);
}

static int edit(const struct client *client, const char *verb, int argc, char **argv)
{
	json_t *reply;
	int e = check_words(client, argc, argv);
	if (e == 0)
		e = ask(client, words_request(verb, argc, argv), false, &reply);
	return e ? e : client_finish(client, reply, false);
}

static int verb_change(const struct client *client, int argc, char **argv)
{
	return edit(client, "change", argc, argv);
}

static int verb_del(const struct client *client, int argc, char **argv)
{
	return edit(client, "del", argc, argv);
}

static int verb_show(const struct client *client, int argc, char **argv)
{
	json_t *reply;
	int e = ask(client,
		    json_pack("{s:s, s:s*}", "verb", "show", "tunnel", argc > 0 ? argv[0] : NULL),
		    false, &reply);
	return e ? e : client_finish(client, reply, false);
}

static int verb_version(const struct client *client, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (client->json)
		return client_finish(client,
				     json_pack("{s:i, s:{s:s}}", "exit", EXIT_OK, "data", "version",
					       GRETEL_VERSION),
				     true);
	puts("gretel " GRETEL_VERSION);
	return EXIT_OK;
}

static void print_usage(FILE *out)
{
	fputs("usage: gretel [-c FILE] [-r DIR] [--json] VERB ...\n", out);
}

static int print_help(void)
{
	print_usage(stdout);
	puts("\nverbs:");
	for (size_t i = 0; i < VERBS; i++)
		printf("  %-8s %s\n", verbs[i].name, verbs[i].help);
	puts("\noptions:\n"
	     "  -c, --file FILE     the configuration (default " MSG_CONFIG_FILE ")\n"
	     "  -r, --run-dir DIR   where greteld keeps its socket and state (default "
	     "$" MSG_RUN_DIR_ENV " or " MSG_RUN_DIR ")\n"
	     "  -j, --json          answer in JSON\n"
	     "      --for SYSTEM    with peer: what runs at the other end\n"
	     "      --host ADDRESS  with doctor: a host behind the peer that should answer\n"
	     "  -h, --help          this text\n"
	     "  -V, --version       the version\n\nexit codes:");
#define PRINT_EXIT(id, value, text) printf("  %d  %s\n", value, text);
	MSG_EXITS(PRINT_EXIT)
#undef PRINT_EXIT
	return EXIT_OK;
}

static int unknown_verb(const struct client *client, const char *name)
{
	char known[256] = "";
	for (size_t i = 0; i < VERBS; i++) {
		size_t used = strlen(known);
		snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", verbs[i].name);
	}
	return client_fail(client, EXIT_USAGE, "unknown verb \"%.64s\": the verbs are %s", name,
			   known);
}

static int verb_help(const struct client *client, int argc, char **argv)
{
	if (argc == 0)
		return print_help();
	const struct verb *verb = find_verb(argv[0]);
	if (!verb)
		return unknown_verb(client, argv[0]);
	printf("gretel %s%s%s: %s\n", verb->name, verb->words[0] ? " " : "", verb->words,
	       verb->help);
	if (verb->more)
		fputs(verb->more, stdout);
	return EXIT_OK;
}

static int run_verb(const struct client *client, int argc, char **argv)
{
	const struct verb *verb = find_verb(argv[0]);
	if (!verb)
		return unknown_verb(client, argv[0]);
	argc--;
	argv++;
	if (client->peer_for && verb->run != verb_peer)
		return client_fail(client, EXIT_USAGE, "--for belongs to \"peer\": leave it out");
	if (client->host && verb->run != verb_doctor)
		return client_fail(client, EXIT_USAGE,
				   "--host belongs to \"doctor\": leave it out");
	if (argc >= verb->min && argc <= verb->max)
		return verb->run(client, argc, argv);
	if (argc < verb->min)
		return client_fail(client, EXIT_USAGE, "\"%s\" needs more words: gretel %s %s",
				   verb->name, verb->name, verb->words);
	return client_fail(client, EXIT_USAGE, "\"%.64s\" is too much: gretel %s%s%s",
			   argv[verb->max], verb->name, verb->words[0] ? " " : "", verb->words);
}

int main(int argc, char **argv)
{
	struct client client = {.run_dir = getenv(MSG_RUN_DIR_ENV)};
	char config[PATH_MAX], run_dir[PATH_MAX];
	int option;
	while ((option = getopt_long(argc, argv, "c:r:jhV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			client.config = optarg;
			break;
		case 'r':
			client.run_dir = optarg;
			break;
		case 'j':
			client.json = true;
			break;
		case 'F':
			client.peer_for = optarg;
			break;
		case 'H':
			client.host = optarg;
			break;
		case 'h':
			return print_help();
		case 'V':
			return verb_version(&client, 0, NULL);
		default:
			print_usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (!client.run_dir || client.run_dir[0] == '\0')
		client.run_dir = MSG_RUN_DIR;
	const char *given = client.config;
	client.run_dir = file_absolute(client.run_dir, run_dir);
	client.config = given ? file_absolute(given, config) : NULL;
	if (!client.run_dir || (given && !client.config))
		return client_fail(&client, EXIT_USAGE, "a path is too long");
	if (optind == argc) {
		print_usage(stderr);
		fputs("\"gretel help\" lists the verbs\n", stderr);
		return EXIT_USAGE;
	}
	return run_verb(&client, argc - optind, argv + optind);
}
