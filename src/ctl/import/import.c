/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists of an import. */
#include "ctl/import/import.h"

#include <stdlib.h>
#include <string.h>

/* One more item of `size` octets, all zero, at the end; NULL when memory ran out. */
static void *grow(struct import *import, void **items, size_t *count, size_t size)
{
	char *grown = reallocarray(*items, *count + 1, size);

	if (!grown) {
		import->lost = true;
		return NULL;
	}
	*items = grown;
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
}

void import_note(struct import *import, struct import_notes *notes, const char *format, ...)
{
	char **line = grow(import, (void **)&notes->lines, &notes->count, sizeof *line);
	va_list args;

	if (!line)
		return;
	va_start(args, format);
	if (vasprintf(line, format, args) < 0)
		*line = NULL;
	va_end(args);
	if (*line)
		make_printable(*line);
	else
		import->lost = true;
}

void import_unfit(struct import *import, struct import_tunnel *tunnel, const char *format, ...)
{
	va_list args;

	if (tunnel->unfit)
		return;
	va_start(args, format);
	if (vasprintf(&tunnel->unfit, format, args) < 0) {
		tunnel->unfit = NULL;
		import->lost = true;
	}
	va_end(args);
	if (tunnel->unfit)
		make_printable(tunnel->unfit);
}

struct import_tunnel *import_add_tunnel(struct import *import)
{
	return grow(import, (void **)&import->tunnels, &import->tunnel_count,
		    sizeof *import->tunnels);
}

static bool same_route(const struct route_info *a, const struct route_info *b)
{
	return prefix_equal(&a->to, &b->to) && a->table == b->table && a->metric == b->metric &&
	       addr_equal(&a->src, &b->src);
}

void import_add_address(struct import *import, struct import_tunnel *tunnel,
			const struct address_info *address)
{
	struct address_info *item =
		grow(import, (void **)&tunnel->addresses, &tunnel->address_count, sizeof *item);

	if (item)
		*item = *address;
}

void import_add_route(struct import *import, struct import_tunnel *tunnel,
		      const struct route_info *route)
{
	struct route_info *item;

	/* two that differed only in their gateway are one here */
	for (size_t i = 0; i < tunnel->route_count; i++)
		if (same_route(&tunnel->routes[i], route))
			return;
	item = grow(import, (void **)&tunnel->routes, &tunnel->route_count, sizeof *item);

	if (item)
		*item = *route;
}

void import_add_lan(struct import *import, const struct import_lan *lan)
{
	struct import_lan *item =
		grow(import, (void **)&import->lans, &import->lan_count, sizeof *item);

	if (item)
		*item = *lan;
}

const char *import_keep(struct import *import, const char *text)
{
	char **copy = grow(import, (void **)&import->texts, &import->text_count, sizeof *copy);

	if (copy)
		*copy = strdup(text);
	if (copy && *copy) {
		make_printable(*copy);
		return *copy;
	}
	import->lost = true;
	return "";
}

static void free_notes(struct import_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		free(notes->lines[i]);
	free(notes->lines);
}

void import_free(struct import *import)
{
	for (size_t i = 0; i < import->tunnel_count; i++) {
		free_notes(&import->tunnels[i].notes);
		free(import->tunnels[i].addresses);
		free(import->tunnels[i].routes);
		free(import->tunnels[i].unfit);
	}
	for (size_t i = 0; i < import->text_count; i++)
		free(import->texts[i]);
	free_notes(&import->rules);
	free(import->tunnels);
	free(import->lans);
	free(import->texts);
	*import = (struct import){0};
}
