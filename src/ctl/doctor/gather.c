/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/gather.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/doctor/ask.h"
#include "os/privilege.h"

static void read_file(struct doctor_host *host)
{
	size_t size;
	FILE *errors = open_memstream(&host->file_faults, &size);

	if (!errors)
		return;
	if (conf_load(host->config, host->added, errors, &host->file) != 0)
		host->file = NULL;
	fclose(errors);
}

/* The effective configuration of the daemon is a text that reads as what it runs. */
static void read_running(struct doctor_host *host)
{
	json_t *reply, *lines;
	char *text = NULL;
	size_t size, i;
	FILE *stream, *faults;

	if (ask_daemon(host->run_dir, "config", &reply) != 0)
		return;
	stream = open_memstream(&text, &size);
	faults = fopen("/dev/null", "w");
	if (stream && faults) {
		lines = json_object_get(reply, "lines");
		for (i = 0; i < json_array_size(lines); i++)
			fprintf(stream, "%s\n", json_string_value(json_array_get(lines, i)));
		fflush(stream);
		if (conf_load_text("greteld", text, faults, &host->running) != 0)
			host->running = NULL;
	}
	if (stream)
		fclose(stream);
	if (faults)
		fclose(faults);
	free(text);
	json_decref(reply);
}

static void ask(struct doctor_host *host)
{
	json_t *reply;

	host->daemon_error = ask_daemon(host->run_dir, "status", &reply);
	if (host->daemon_error)
		return;
	host->status = json_incref(json_object_get(reply, "data"));
	if (host->status)
		read_running(host);
	else
		host->daemon_said = strdup(doctor_text(reply, "error"));
	json_decref(reply);
}

static void read_kernel(struct doctor_host *host)
{
	size_t size;
	int e = kernel_open(&host->kernel);
	FILE *errors = open_memstream(&host->pass_error, &size);

	host->kernel_opened = e == 0;
	if (errors && e)
		fprintf(errors, "opening the kernel's sockets: %s", strerror(-e));
	state_load(host->run_dir, &host->state);
	if (errors && !e && host->conf)
		host->pass_made = pass_make(&host->kernel, host->conf, &host->state, NULL, errors,
					    &host->pass) == 0;
	if (errors)
		fclose(errors);
}

void gather(const char *config, const char *added, const char *run_dir, struct doctor_host *out)
{
	*out = (struct doctor_host){.config = config, .added = added, .run_dir = run_dir};
	out->xfrm = xfrm_read();
	read_file(out);
	ask(out);
	out->conf = out->running ? out->running : out->file;
	out->may_send = privilege_may(PRIVILEGE_RAW);
	out->may_admin = privilege_may(PRIVILEGE_ADMIN);
	read_kernel(out);
}

void gather_free(struct doctor_host *host)
{
	if (host->pass_made)
		pass_free(&host->pass);
	if (host->kernel_opened)
		kernel_close(&host->kernel);
	state_free(&host->state);
	conf_free(host->file);
	conf_free(host->running);
	json_decref(host->status);
	free(host->file_faults);
	free(host->daemon_said);
	free(host->pass_error);
}
