/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procfile.h: the counters of /proc/net/netstat and /proc/net/snmp. */
#ifndef OS_PROCFILE_H
#define OS_PROCFILE_H

#include <stddef.h>
#include <stdint.h>

/* `name` in the lines of `group` ("TcpExt", "IPReversePathFilter") of a file of pairs of lines,
 * names over numbers. -1 when it has none. PURE. */
int64_t proc_counter(const char *text, const char *group, const char *name);
/* The same of the file /proc/net/FILE of this namespace; -errno when it cannot be read. */
int64_t proc_net_counter(const char *file, const char *group, const char *name);

#endif
