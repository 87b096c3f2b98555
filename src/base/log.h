/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h: one line per event, to stderr or, after log_to_syslog(), to syslog. Under systemd a line
 * on stderr carries the <N> priority prefix that the journal reads. Only cmd/ and ctl/ log; the
 * lower folders return -errno.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Lines above `level` are not written. */
void log_set_level(enum log_level level);
/* From now on to syslog(3): for a process that has given its terminal back. */
void log_to_syslog(void);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
