/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

static enum log_level log_limit = LOG_LEVEL_INFO;
static bool log_syslog;

void log_set_level(enum log_level level)
{
	log_limit = level;
}

void log_to_syslog(void)
{
	openlog("greteld", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	log_syslog = true;
}

void log_line(enum log_level level, const char *format, ...)
{
	if (level > log_limit)
		return;
	char line[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	/* The levels have syslog's numbers. One write for a line, so that lines of two processes on
	 * one terminal do not mix. */
	if (log_syslog)
		syslog((int)level, "%s", line);
	else if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", (int)level, line);
	else
		fprintf(stderr, "greteld: %s\n", line);
}
