/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of networkd that belong together, as texts. */
#include <stdlib.h>
#include <string.h>

#include "ctl/import/netdev.h"

bool import_is_netdev(const char *name)
{
	size_t len = strlen(name);

	return len > 7 && strcmp(name + len - 7, ".netdev") == 0;
}

/* Applies a .network file to every tunnel that it is about. Returns how many there are. */
static size_t apply(struct import *import, struct unit_file *file)
{
	size_t used = 0;

	for (size_t i = 0; i < import->tunnel_count; i++) {
		struct import_tunnel *tunnel = &import->tunnels[i];

		if (network_matches(file, tunnel->gre.link.name)) {
			network_read(import, tunnel, file);
			used++;
		}
		if (network_is_below(file, tunnel->gre.link.name)) {
			network_read_below(import, tunnel, file);
			used++;
		}
	}
	return used;
}

static int read_netdev(struct import *import, const char *name, const char *text, FILE *errors)
{
	struct unit_file file;
	int faults = unit_file_read(name, text, errors, &file);

	if (!faults)
		netdev_read(import, &file);
	faults = file.faults;
	unit_file_free(&file);
	return faults;
}

/* The words of a file that turns out not to matter are thrown away. */
static int read_network(struct import *import, const char *name, const char *text, bool optional,
			FILE *errors)
{
	char *said = NULL;
	size_t size;
	FILE *memory = open_memstream(&said, &size);
	struct unit_file file;
	size_t used;
	int faults;

	if (!memory)
		return 1;
	unit_file_read(name, text, memory, &file);
	used = apply(import, &file);
	if (!used && !optional)
		unit_file_fault(&file, 0,
				"its [Match] Name= fits none of the tunnels, and its Tunnel= names "
				"none: leave the file out");
	faults = used || !optional ? file.faults : 0;
	unit_file_free(&file);
	fclose(memory);
	if (faults)
		fputs(said, errors);
	free(said);
	return faults;
}

int import_units(struct import *import, const char *const *names, const char *const *texts,
		 size_t count, size_t optional, FILE *errors)
{
	int faults = 0;

	for (size_t i = 0; i < count; i++)
		if (import_is_netdev(names[i]))
			faults += read_netdev(import, names[i], texts[i], errors);
	for (size_t i = 0; i < count && import->tunnel_count; i++)
		if (!import_is_netdev(names[i]))
			faults += read_network(import, names[i], texts[i], i >= optional, errors);
	return faults;
}
