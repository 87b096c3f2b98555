/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files of networkd are read, and what this machine adds to them. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ctl/import/import.h"

#define FILE_LIMIT (1u << 20)

struct files {
	char **names, **texts;
	size_t count;
};

/* Reads a file behind the others. Returns 0 or -errno. */
static int add(struct files *files, const char *name)
{
	char **names = reallocarray(files->names, files->count + 1, sizeof *names);
	char **texts;
	int err;

	if (names)
		files->names = names;
	texts = reallocarray(files->texts, files->count + 1, sizeof *texts);
	if (texts)
		files->texts = texts;
	if (!names || !texts)
		return -ENOMEM;
	err = file_read(name, FILE_LIMIT, &texts[files->count]);
	if (err)
		return err;
	names[files->count] = strdup(name);
	if (!names[files->count]) {
		free(texts[files->count]);
		return -ENOMEM;
	}
	files->count++;
	return 0;
}

static void files_free(struct files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->names[i]);
		free(files->texts[i]);
	}
	free(files->names);
	free(files->texts);
}

static int is_network(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 8 &&
	       strcmp(entry->d_name + len - 8, ".network") == 0;
}

/* The .network files of the folder of `netdev`, in the order of networkd. One that cannot be read
 * is passed over: nobody asked for it. */
static void add_beside(struct files *files, const char *netdev)
{
	struct dirent **entries = NULL;
	char *copy = strdup(netdev), *path;
	int count = copy ? scandir(dirname(copy), &entries, is_network, alphasort) : 0;

	for (int i = 0; i < count; i++) {
		if (asprintf(&path, "%s/%s", copy, entries[i]->d_name) >= 0) {
			(void)add(files, path);
			free(path);
		}
		free(entries[i]);
	}
	free(entries);
	free(copy);
}

static bool has_drop_ins(const char *name)
{
	char path[PATH_MAX];
	DIR *folder;

	if (snprintf(path, sizeof path, "%s.d", name) >= (int)sizeof path)
		return false;
	folder = opendir(path);
	if (!folder)
		return false;
	closedir(folder);
	return true;
}

/* What the files leave open the kernel may know, if they are of this machine. */
static void ask_kernel(struct import *import)
{
	struct nl nl;

	if (nl_open(&nl, NETLINK_ROUTE) != 0)
		return;
	for (size_t i = 0; i < import->tunnel_count; i++) {
		struct import_tunnel *tunnel = &import->tunnels[i];

		tunnel->gre.bind = tunnel->bind[0] ? link_index(tunnel->bind) : 0;
		import_fill_local(import, &nl, tunnel);
	}
	import_host(import, &nl);
	nl_close(&nl);
}

int import_networkd(struct import *import, const char *const *names, size_t count, FILE *errors)
{
	struct files files = {0};
	bool any_network = false;
	size_t given;
	int faults = 0, err;

	for (size_t i = 0; i < count; i++) {
		err = add(&files, names[i]);
		any_network |= !import_is_netdev(names[i]);
		if (!err)
			continue;
		fprintf(errors,
			"%s: the file cannot be read (%s): name another, or make it readable\n",
			names[i], strerror(-err));
		faults++;
	}
	given = files.count;
	if (!any_network && given)
		add_beside(&files, files.names[0]);
	if (!faults)
		faults = import_units(import, (const char *const *)files.names,
				      (const char *const *)files.texts, files.count, given, errors);
	for (size_t i = 0; i < given && !faults && import->tunnel_count; i++)
		if (has_drop_ins(files.names[i]))
			import_note(import, &import->tunnels[0].notes,
				    "the files of %s.d were not read", files.names[i]);
	files_free(&files);
	if (!faults)
		ask_kernel(import);
	return faults + import->lost;
}
