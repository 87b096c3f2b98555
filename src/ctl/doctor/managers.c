/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/managers.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_MAX  65536
#define FILES_MAX 64

static bool exists(const char *root, const char *path)
{
	char full[PATH_MAX];
	struct stat st;

	snprintf(full, sizeof full, "%s%s", root, path);
	return lstat(full, &st) == 0;
}

static bool is_no(const char *value)
{
	static const char *const words[] = {"no", "false", "off", "0", "n", "f"};
	size_t len = strcspn(value, " \t\r\n");

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strlen(words[i]) == len && strncasecmp(value, words[i], len) == 0)
			return true;
	return false;
}

/* What the last line "KEY=..." of a file says into *no; without one it is left alone. */
static void read_key(const char *path, const char *key, bool *no)
{
	size_t len = strlen(key);
	char *text;

	if (file_read(path, FILE_MAX, &text) != 0)
		return;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += strspn(line, " \t\r\n");
		if (*line == '\0')
			break;
		if (strncmp(line, key, len) != 0)
			continue;
		const char *value = line + len + strspn(line + len, " \t");
		if (*value == '=')
			*no = is_no(value + 1 + strspn(value + 1, " \t"));
	}
	free(text);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a folder of drop-ins in the order of their names. */
static void read_folder(const char *folder, const char *key, bool *no)
{
	char *names[FILES_MAX], path[PATH_MAX];
	struct dirent *entry;
	size_t count = 0;
	DIR *dir = opendir(folder);

	while (dir && count < FILES_MAX && (entry = readdir(dir))) {
		const char *end = strrchr(entry->d_name, '.');

		if (!end || strcmp(end, ".conf") != 0)
			continue;
		names[count] = strdup(entry->d_name);
		count += names[count] != NULL;
	}
	if (dir)
		closedir(dir);
	qsort(names, count, sizeof names[0], compare_names);
	for (size_t i = 0; i < count; i++) {
		if (snprintf(path, sizeof path, "%s/%s", folder, names[i]) < (int)sizeof path)
			read_key(path, key, no);
		free(names[i]);
	}
}

/* The main file first, then the drop-ins, those of the administrator last. */
static bool says_no(const char *root, const char *key)
{
	static const char *const folders[] = {"/usr/lib/systemd/networkd.conf.d",
					      "/run/systemd/networkd.conf.d",
					      "/etc/systemd/networkd.conf.d"};
	char path[PATH_MAX];
	bool no = false;

	snprintf(path, sizeof path, "%s/etc/systemd/networkd.conf", root);
	read_key(path, key, &no);
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		snprintf(path, sizeof path, "%s%s", root, folders[i]);
		read_folder(path, key, &no);
	}
	return no;
}

static bool networkd_runs(const char *root)
{
	return exists(root, "/run/systemd/netif/state");
}

bool networkd_takes_routes(const char *root)
{
	return networkd_runs(root) && !says_no(root, "ManageForeignRoutes");
}

bool networkd_takes_rules(const char *root)
{
	return networkd_runs(root) && !says_no(root, "ManageForeignRoutingPolicyRules");
}

bool systemd_runs(const char *root)
{
	return exists(root, "/run/systemd/system");
}

bool systemd_starts_us(const char *root)
{
	return exists(root, "/etc/systemd/system/multi-user.target.wants/gretel.service");
}
