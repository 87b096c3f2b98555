/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/bpfpins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "os/bpfattach.h"

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static bool make_directory(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

void bpf_pin_directory(const char *wanted, uint64_t netns, char *out, size_t size)
{
	bool common = !is_bpffs(wanted) && is_bpffs("/sys/fs/bpf");
	int length = common ? snprintf(out, size, "/sys/fs/bpf/gretel/%" PRIu64, netns)
			    : snprintf(out, size, "%s", wanted);

	if (common && make_directory("/sys/fs/bpf/gretel"))
		(void)make_directory(out);
	if (length < 0 || (size_t)length >= size || !is_bpffs(out))
		out[0] = '\0';
}

/* What is in such a directory: "in-3", "out-3", "xdp-3" are links, the others maps. */
static bool is_link(const char *name)
{
	return strncmp(name, "in-", 3) == 0 || strncmp(name, "out-", 4) == 0 ||
	       strncmp(name, "xdp-", 4) == 0;
}

static void clear_one(const char *pins, const char *name)
{
	char path[PATH_MAX];
	int link;

	if (snprintf(path, sizeof path, "%s/%s", pins, name) >= (int)sizeof path)
		return;
	link = is_link(name) ? bpf_obj_get(path) : -1;
	if (link >= 0)
		bpf_detach_link(link, path);
	else
		(void)unlink(path);
}

void bpf_pins_clear(const char *pins)
{
	DIR *directory = pins[0] ? opendir(pins) : NULL;
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			clear_one(pins, entry->d_name);
	if (directory)
		closedir(directory);
	if (pins[0])
		(void)rmdir(pins);
}
