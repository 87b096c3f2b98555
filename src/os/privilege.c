/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int privilege_raise_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

int privilege_drop(void)
{
	static const unsigned kept[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_DAC_OVERRIDE};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (capng_get_caps_process() < 0)
		return -EPERM;
	unsigned had = 0;
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if (capng_have_capability(CAPNG_PERMITTED, kept[i]))
			had |= 1u << i;
	/* Without being root, what is executed later keeps only what is ambient. */
	capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
	if (geteuid() != 0)
		sets |= CAPNG_INHERITABLE | CAPNG_AMBIENT;
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if (had & 1u << i)
			capng_update(CAPNG_ADD, sets, kept[i]);
	return capng_apply(CAPNG_SELECT_CAPS) < 0 || capng_apply(CAPNG_SELECT_AMBIENT) < 0 ? -EPERM
											   : 0;
}

bool privilege_may(enum privilege privilege)
{
	unsigned capability = privilege == PRIVILEGE_RAW ? CAP_NET_RAW : CAP_NET_ADMIN;

	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, capability) == 1;
}
