/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of other managers say, in a folder that stands for /. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "ctl/doctor/managers.h"

static char root[] = "/tmp/gretel-managers-XXXXXX";

static void put(const char *path, const char *text)
{
	char full[256], *slash;

	snprintf(full, sizeof full, "%s%s", root, path);
	slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(file_make_dirs(full, 0755), 0);
	*slash = '/';
	assert_int_equal(file_write(full, text, 0644), 0);
}

static void test_networkd(void **state)
{
	(void)state;
	put("/etc/systemd/networkd.conf", "[Network]\n#ManageForeignRoutes=no\n");
	assert_false(networkd_takes_routes(root)); /* it does not run */
	put("/run/systemd/netif/state", "");
	assert_true(networkd_takes_routes(root));
	assert_true(networkd_takes_rules(root));
	put("/etc/systemd/networkd.conf", "[Network]\n  ManageForeignRoutes = false\n");
	assert_false(networkd_takes_routes(root));
	assert_true(networkd_takes_rules(root));
	put("/etc/systemd/networkd.conf.d/10-a.conf",
	    "[Network]\nManageForeignRoutes=yes\nManageForeignRoutingPolicyRules=no");
	assert_true(networkd_takes_routes(root));
	assert_false(networkd_takes_rules(root));
	put("/etc/systemd/networkd.conf.d/20-b.conf", "ManageForeignRoutes=no\n");
	put("/etc/systemd/networkd.conf.d/30-c.old", "ManageForeignRoutes=yes\n");
	assert_false(networkd_takes_routes(root));
}

static void test_boot(void **state)
{
	(void)state;
	assert_true(systemd_runs("") || !systemd_runs(root));
	put("/run/systemd/system/x", "");
	assert_true(systemd_runs(root));
	assert_false(systemd_starts_us(root));
	put("/etc/systemd/system/multi-user.target.wants/gretel.service", "");
	assert_true(systemd_starts_us(root));
}

static int make(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_all(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -r %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networkd),
		cmocka_unit_test(test_boot),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
