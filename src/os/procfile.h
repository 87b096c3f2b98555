/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procfile.h: the counters of /proc/net/netstat and /proc/net/snmp, and those of CPUs in
 * /proc/stat. */
#ifndef OS_PROCFILE_H
#define OS_PROCFILE_H

#include <stddef.h>
#include <stdint.h>

/* `name` in the lines of `group` ("TcpExt", "IPReversePathFilter") of a file of pairs of lines,
 * names over numbers. -1 when it has none. PURE. */
int64_t proc_counter(const char *text, const char *group, const char *name);
/* The same of the file /proc/net/FILE of this namespace; -errno when it cannot be read. */
int64_t proc_net_counter(const char *file, const char *group, const char *name);

/* What a CPU did since the host was started, in ticks. */
struct proc_cpu {
	uint64_t total, idle;
	uint64_t softirq; /* packets, most of all */
	uint64_t system;  /* also of the kernel's own threads */
};

/* The lines "cpuN" of /proc/stat into out[N]; the others are zeroed. Returns one more than the
 * highest N, at most `max`. PURE. */
unsigned proc_cpus(const char *text, struct proc_cpu *out, unsigned max);
/* The same of the file; -errno when it cannot be read. */
int proc_cpus_read(struct proc_cpu *out, unsigned max);

#endif
