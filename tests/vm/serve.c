/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve: runs scripts inside the emulated machine, as its first process.
 *
 *     serve PORT
 *
 * A TCP connection is one request:
 *
 *     SECONDS LENGTH [NAMESPACE]\n  script of LENGTH octets  standard input of the script
 *
 * It runs in the network namespace of that name, as `ip netns exec` would run it: with a /sys of
 * its own. That program costs an emulated processor more than most scripts do.
 *
 * and its answer, after the script has ended (it is killed when the seconds are over):
 *
 *     STATUS LENGTH LENGTH\n  standard output  standard error
 *
 * STATUS is the exit status, or 128 and the signal. Scripts run beside each other. What a script
 * leaves running goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCRIPT_MAX = 1 << 20, NAME_SIZE = 32, HEAD_MAX = 96, BACKLOG = 64 };

struct request {
	unsigned seconds;
	size_t length;
	char namespace[NAME_SIZE]; /* "": where we are */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Reads exactly `len` octets. */
static void read_all(int fd, char *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, octets, len);
		if (n <= 0)
			die("request");
		octets += n;
		len -= (size_t)n;
	}
}

/* Reads the first line, an octet at a time: what follows it is not ours alone. */
static void read_head(int fd, struct request *out)
{
	char head[HEAD_MAX] = "";
	for (size_t i = 0; i < sizeof head - 1; i++) {
		read_all(fd, head + i, 1);
		if (head[i] == '\n')
			break;
	}
	if (sscanf(head, "%u %zu %31s", &out->seconds, &out->length, out->namespace) < 2 ||
	    out->length > SCRIPT_MAX) {
		fprintf(stderr, "serve: not a request: %s\n", head);
		exit(1);
	}
}

static void send_file(int to, int from, off_t len)
{
	off_t at = 0;
	while (at < len)
		if (sendfile(to, from, &at, (size_t)(len - at)) <= 0)
			die("answer");
}

static off_t size_of(int fd)
{
	struct stat state;
	if (fstat(fd, &state) < 0)
		die("fstat");
	return state.st_size;
}

static void enter(const char *namespace)
{
	char path[NAME_SIZE + 16];
	snprintf(path, sizeof path, "/run/netns/%s", namespace);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    umount2("/sys", MNT_DETACH) < 0 || mount(namespace, "/sys", "sysfs", 0, NULL) < 0)
		die(path);
}

static pid_t start(const char *script, const char *namespace, int in, int out, int err)
{
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	setpgid(0, 0);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (namespace[0])
		enter(namespace);
	execl("/bin/sh", "sh", "-c", script, NULL);
	die("/bin/sh");
	return -1;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* The script's status; it is killed, with what it started, after so many seconds. */
static int wait_for(pid_t pid, unsigned seconds)
{
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm},
		  NULL); /* without SA_RESTART */
	alarm(seconds);
	int status;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			die("waitpid");
		kill(-pid, SIGKILL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void answer(int fd)
{
	struct request request = {0};
	read_head(fd, &request);
	char *script = calloc(1, request.length + 1);
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	if (script == NULL || out < 0 || err < 0)
		die("memory");
	read_all(fd, script, request.length);
	int status = wait_for(start(script, request.namespace, fd, out, err), request.seconds);
	off_t out_len = size_of(out), err_len = size_of(err);
	dprintf(fd, "%d %lld %lld\n", status, (long long)out_len, (long long)err_len);
	send_file(fd, out, out_len);
	send_file(fd, err, err_len);
}

static int listen_on(const char *port)
{
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)atoi(port))};
	if (server < 0 || setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(server, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(server, BACKLOG) < 0)
		die("listen");
	return server;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: serve PORT\n", stderr);
		return 2;
	}
	int server = listen_on(argv[1]);
	/* As the first process it is the parent of whoever lost his own, and waits for nobody. */
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		pid_t pid = fork();
		if (pid == 0) {
			signal(SIGCHLD, SIG_DFL);
			answer(fd);
			exit(0);
		}
		if (pid < 0)
			perror("fork");
		close(fd);
	}
}
