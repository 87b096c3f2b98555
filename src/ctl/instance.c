/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "ctl/msg.h"

#define WAIT_MS	     1000
#define WAIT_STEP_MS 5

static socklen_t lock_address(struct sockaddr_un *address)
{
	static const char name[] = "\0gretel";
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, name, sizeof name - 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof name - 1);
}

/* The lock on the file that now has this name; -EWOULDBLOCK while somebody else holds it. */
static int lock_pid_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	struct stat locked, named;
	int e = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	/* The holder may have removed the file between our open and our lock. */
	if (e == 0 && (fstat(fd, &locked) < 0 || stat(path, &named) < 0 ||
		       locked.st_ino != named.st_ino || locked.st_dev != named.st_dev))
		e = -EWOULDBLOCK;
	if (e) {
		close(fd);
		return e;
	}
	return fd;
}

static int lock_namespace(void)
{
	struct sockaddr_un address;
	socklen_t len = lock_address(&address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 4) < 0) {
		int e = -errno;
		close(fd);
		return e;
	}
	return fd;
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};
	nanosleep(&t, NULL);
}

/* Who holds the namespace: its pid as the kernel knows it, and what it says about itself. */
static void print_holder(FILE *errors)
{
	struct sockaddr_un address;
	socklen_t len = lock_address(&address);
	struct ucred holder = {0};
	socklen_t size = sizeof holder;
	char said[PATH_MAX + 32] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, len) == 0) {
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &holder, &size);
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t n = poll(&ready, 1, WAIT_MS) == 1 ? read(fd, said, sizeof said - 1) : 0;
		said[n > 0 ? n : 0] = '\0';
	}
	if (fd >= 0)
		close(fd);
	said[strcspn(said, "\n")] = '\0';
	if (said[0] != '\0')
		fprintf(errors,
			"another greteld (pid %d) serves this network namespace, with run "
			"directory %s: use \"gretel -r %s\", or stop it\n",
			(int)holder.pid, said, said);
	else
		fprintf(errors,
			"another greteld (pid %d) serves this network namespace but does not "
			"answer: stop it\n",
			(int)holder.pid);
}

static int take_pid_file(struct instance *out, FILE *errors)
{
	int fd = lock_pid_file(out->pid_path);
	for (int waited = 0; fd == -EWOULDBLOCK && waited < WAIT_MS; waited += WAIT_STEP_MS) {
		pause_ms(WAIT_STEP_MS);
		fd = lock_pid_file(out->pid_path);
	}
	if (fd >= 0) {
		out->pid_fd = fd;
		return 0;
	}
	char *pid = NULL;
	if (fd == -EWOULDBLOCK && file_read(out->pid_path, 32, &pid) == 0) {
		pid[strcspn(pid, "\n")] = '\0';
		fprintf(errors,
			"another greteld (pid %s) uses the run directory %s: "
			"choose another with -r, or stop it\n",
			pid, out->run_dir);
		free(pid);
	} else {
		fprintf(errors, "%s: %s\n", out->pid_path, strerror(-fd));
	}
	return fd;
}

static int take_namespace(struct instance *out, FILE *errors)
{
	int fd = lock_namespace();
	for (int waited = 0; fd == -EADDRINUSE && waited < WAIT_MS; waited += WAIT_STEP_MS) {
		pause_ms(WAIT_STEP_MS);
		fd = lock_namespace();
	}
	if (fd >= 0)
		out->socket_fd = fd;
	else if (fd == -EADDRINUSE)
		print_holder(errors);
	else
		fprintf(errors, "locking the network namespace: %s\n", strerror(-fd));
	return fd < 0 ? fd : 0;
}

static int write_pid(const struct instance *instance)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(instance->pid_fd, 0) < 0 ||
	    pwrite(instance->pid_fd, text, (size_t)len, 0) != len)
		return -errno;
	return 0;
}

int instance_take(const char *run_dir, FILE *errors, struct instance *out)
{
	*out = (struct instance){.pid_fd = -1, .socket_fd = -1};
	int len = snprintf(out->run_dir, sizeof out->run_dir, "%s", run_dir);
	int e = len >= (int)sizeof out->run_dir ? -ENAMETOOLONG : file_make_dirs(run_dir, 0755);
	if (e == 0 && snprintf(out->pid_path, sizeof out->pid_path, "%s/%s", run_dir, MSG_PID) >=
			      (int)sizeof out->pid_path)
		e = -ENAMETOOLONG;
	if (e) {
		fprintf(errors, "run directory %s: %s\n", run_dir, strerror(-e));
		return e;
	}
	e = take_pid_file(out, errors);
	if (e == 0)
		e = take_namespace(out, errors);
	if (e == 0) {
		e = write_pid(out);
		if (e)
			fprintf(errors, "%s: %s\n", out->pid_path, strerror(-e));
	}
	if (e)
		instance_release(out);
	return e;
}

static void on_question(uv_poll_t *poll, int status, int events)
{
	struct instance *instance = poll->data;
	(void)events;
	int fd = status < 0
			 ? -1
			 : accept4(instance->socket_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	/* One short line into an empty socket: it is taken whole, or the asker has gone. */
	if (send(fd, instance->run_dir, strlen(instance->run_dir), MSG_NOSIGNAL) < 0)
		log_debug("namespace socket: %s", strerror(errno));
	close(fd);
}

int instance_answer(struct instance *instance, uv_loop_t *loop)
{
	int e = uv_poll_init(loop, &instance->poll, instance->socket_fd);
	if (e)
		return e;
	instance->poll.data = instance;
	return uv_poll_start(&instance->poll, UV_READABLE, on_question);
}

void instance_release(struct instance *instance)
{
	if (instance->poll.data && !uv_is_closing((uv_handle_t *)&instance->poll))
		uv_close((uv_handle_t *)&instance->poll, NULL);
	if (instance->socket_fd >= 0)
		close(instance->socket_fd);
	if (instance->pid_fd >= 0) {
		/* Only the holder of the lock may remove the file. */
		unlink(instance->pid_path);
		close(instance->pid_fd);
	}
	instance->socket_fd = instance->pid_fd = -1;
}
