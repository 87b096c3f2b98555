/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of tunnels: what they see, that two of one tunnel never run at once and the latest state
 * wins, that they are ended, and what is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/hook.h"

#define LIMIT_MS 300 /* of the tests that wait for it; others have time on a busy machine */

static uv_loop_t loop;
static struct hooks *hooks;
static char told[8192]; /* "TUNNEL up: TEXT\n" and "TUNNEL up = EXIT SIGNAL KILLED\n" */

static void on_line(void *arg, const char *tunnel, bool up, const char *text)
{
	size_t used = strlen(told);

	(void)arg;
	snprintf(told + used, sizeof told - used, "%s %s: %s\n", tunnel, up ? "up" : "down", text);
}

static void on_end(void *arg, const struct hook_end *end)
{
	size_t used = strlen(told);

	(void)arg;
	snprintf(told + used, sizeof told - used, "%s %s = %d %d%s\n", end->tunnel,
		 end->up ? "up" : "down", end->exit, end->signal, end->killed ? " killed" : "");
}

static int setup_limit(uint64_t limit_ms)
{
	told[0] = '\0';
	uv_loop_init(&loop);
	return hooks_open(&loop, limit_ms, &(struct hook_sink){NULL, on_line, on_end}, &hooks);
}

static int setup(void **state)
{
	(void)state;
	return setup_limit(30000);
}

static int setup_short(void **state)
{
	(void)state;
	return setup_limit(LIMIT_MS);
}

static int teardown(void **state)
{
	(void)state;
	hooks_close(hooks);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void note(const char *tunnel, bool up, const char *command)
{
	struct hook_env env = {.count = 0};

	hook_env_set(&env, "PATH", "/usr/bin:/bin");
	hook_env_set(&env, "GRETEL_STATE", up ? "up" : "down");
	hooks_note(hooks, tunnel, up, command, &env);
}

static void run_all(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(hooks_busy(hooks));
}

static void test_output_and_end(void **state)
{
	(void)state;
	note("t", true, "echo one; echo two >&2; printf three; exit 7");
	assert_true(hooks_busy(hooks));
	run_all();
	assert_string_equal(told, "t up: one\nt up: two\nt up: three\nt up = 7 0\n");
}

static void test_environment(void **state)
{
	(void)state;
	setenv("GRETEL_TEST_SECRET", "1", 1);
	note("t", false,
	     "env | grep -v -e ^PWD -e ^_ -e ^SHLVL -e ^OLDPWD | sort; pwd; wc -c; echo $0");
	run_all();
	assert_string_equal(told, "t down: GRETEL_STATE=down\nt down: PATH=/usr/bin:/bin\n"
				  "t down: /\nt down: 0\nt down: /bin/sh\nt down = 0 0\n");
}

static void test_latest_state_wins(void **state)
{
	(void)state;
	note("t", true, "echo begin; sleep 0.1; echo end");
	note("t", false, "echo one");
	note("t", true, "echo two");
	note("t", false, "echo three");
	run_all();
	assert_string_equal(told,
			    "t up: begin\nt up: end\nt up = 0 0\nt down: three\nt down = 0 0\n");
}

/* It went down and came back while on-up was running: that is what on-up has told already. */
static void test_same_state_again(void **state)
{
	(void)state;
	note("t", true, "sleep 0.1; echo $GRETEL_STATE");
	note("t", false, "echo never");
	note("t", true, "echo never");
	run_all();
	assert_string_equal(told, "t up: up\nt up = 0 0\n");
}

static void test_state_without_command(void **state)
{
	(void)state;
	note("t", true, NULL);
	assert_false(hooks_busy(hooks));
	note("t", true, "sleep 0.1");
	note("t", false, "echo never");
	note("t", true, NULL);
	run_all();
	assert_string_equal(told, "t up = 0 0\n");
}

/* Each ends only when the other has begun. */
static void test_two_tunnels_beside_each_other(void **state)
{
	char folder[] = "/tmp/gretel-hook-XXXXXX", command[256];

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < 2; i++) {
		snprintf(command, sizeof command,
			 "cd %s; touch %c; until [ -e %c ]; do sleep 0.01; done", folder, 'a' + i,
			 'b' - i);
		note(i ? "b" : "a", true, command);
	}
	run_all();
	assert_non_null(strstr(told, "a up = 0 0\n"));
	assert_non_null(strstr(told, "b up = 0 0\n"));
	snprintf(command, sizeof command, "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

/* Not gone, and not a body that waits to be reaped by somebody else. */
static bool is_running(int pid)
{
	char path[64], state = 'Z';
	FILE *in;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	in = fopen(path, "r");
	if (!in)
		return false;
	if (fscanf(in, "%*d %*s %c", &state) != 1)
		state = 'Z';
	fclose(in);
	return state != 'Z';
}

static void wait_until_gone(int pid)
{
	for (int i = 0; i < 200 && is_running(pid); i++)
		usleep(10000);
	assert_false(is_running(pid));
}

static void test_limit_kills_the_group(void **state)
{
	char *pid;

	(void)state;
	note("t", true, "trap '' TERM; sleep 60 & echo $!; sleep 60; echo never");
	run_all();
	pid = strstr(told, ": ");
	assert_non_null(pid);
	wait_until_gone(atoi(pid + 2));
	assert_non_null(strstr(told, "t up = 0 9 killed\n"));
	assert_null(strstr(told, "never"));
}

/* What a command leaves running would hold its output open for ever. */
static void test_rest_is_killed(void **state)
{
	char *pid;

	(void)state;
	note("t", true, "sleep 60 & echo $!");
	run_all();
	pid = strstr(told, ": ");
	wait_until_gone(atoi(pid + 2));
	assert_non_null(strstr(told, "t up = 0 0\n"));
}

/* A process that left the group keeps the pipe; nobody waits for it. */
static void test_escaped_process(void **state)
{
	uint64_t begun;

	(void)state;
	uv_update_time(&loop);
	begun = uv_now(&loop);
	note("t", true, "setsid sleep 20 & sleep 0.05");
	run_all();
	assert_string_equal(told, "t up = 0 0\n");
	assert_true(uv_now(&loop) - begun < 15000);
}

static void test_much_output(void **state)
{
	unsigned lines = 0;

	(void)state;
	note("t", true, "yes 0123456789 | head -c 300000");
	run_all();
	for (const char *at = told; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, HOOK_LINES + 2);
	assert_non_null(strstr(told, "(more than 50 lines: the rest is not logged)\nt up = 0 0\n"));
}

static void test_many_tunnels(void **state)
{
	char name[16];
	unsigned ends = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "t%d", i);
		note(name, true, "exit 0");
	}
	run_all();
	for (const char *at = told; (at = strchr(at, '=')); at++)
		ends++;
	assert_int_equal(ends, 100);
}

static void test_close_kills(void **state)
{
	(void)state;
	note("t", true, "sleep 60");
	note("t", false, "echo never");
	/* teardown closes: it must not last */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_output_and_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_latest_state_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_state_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_without_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_tunnels_beside_each_other, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_limit_kills_the_group, setup_short, teardown),
		cmocka_unit_test_setup_teardown(test_rest_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escaped_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_much_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_tunnels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_kills, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
