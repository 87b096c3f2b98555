/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files make a configuration, and their octets. */
#include "ctl/conf_parse.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

/* A configuration of ten thousand tunnels has about 2 MiB. */
#define FILE_SIZE_MAX (16u << 20)

/* The conf's own copy of a file's name, or NULL and a fault. */
static const char *add_file(struct conf_reader *reader, const char *name)
{
	struct conf *conf = reader->conf;
	char **files = reallocarray(conf->files, conf->file_count + 1, sizeof *files);
	char *copy = strdup(name);

	if (files)
		conf->files = files;
	if (!files || !copy) {
		free(copy);
		reader->faults->lost = true;
		return NULL;
	}
	files[conf->file_count++] = copy;
	return copy;
}

/* All octets of a stream, which may be a pipe. Returns 0 or -errno. */
static int read_all(FILE *in, char **out, size_t *len)
{
	FILE *memory = open_memstream(out, len);
	char chunk[4096];
	size_t got, total = 0;

	if (!memory)
		return -errno;
	errno = 0;
	while ((got = fread(chunk, 1, sizeof chunk, in)) > 0 && total <= FILE_SIZE_MAX)
		total += fwrite(chunk, 1, got, memory);
	if (fclose(memory))
		return -ENOMEM;
	if (ferror(in))
		return errno ? -errno : -EIO;
	return total > FILE_SIZE_MAX ? -EFBIG : 0;
}

/* The octets of a file; the caller frees *out in any case. Returns 0 or -errno. */
static int slurp(const char *name, char **out, size_t *len)
{
	FILE *in = fopen(name, "re");
	int error;

	*out = NULL;
	if (!in)
		return -errno;
	error = read_all(in, out, len);
	fclose(in);
	return error;
}

/* Reads a file into the conf; one that does not exist is a fault unless `optional`. */
static void read_file(struct conf_reader *reader, const char *name, bool optional)
{
	char *text;
	size_t len = 0;
	int error = slurp(name, &text, &len);
	const char *file = optional && error == -ENOENT ? NULL : add_file(reader, name);

	if (file && error)
		conf_fault(reader->faults, (struct conf_place){.file = file},
			   "the file cannot be read (%s): name another, or make it readable",
			   strerror(-error));
	else if (file)
		conf_read_text(reader, file, text, len);
	free(text);
}

static int is_drop_in(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

/* By octets: the order of alphasort() depends on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The files of the folder gretel.d beside `file`. */
static void read_drop_ins(struct conf_reader *reader, const char *file)
{
	struct dirent **entries = NULL;
	char *copy = strdup(file), *folder = NULL, *path;
	int count;

	if (!copy || asprintf(&folder, "%s/gretel.d", dirname(copy)) < 0) {
		free(copy);
		reader->faults->lost = true;
		return;
	}
	free(copy);
	count = scandir(folder, &entries, is_drop_in, by_name);
	if (count < 0 && errno != ENOENT) {
		const char *name, *why = strerror(errno);

		if ((name = add_file(reader, folder)))
			conf_fault(reader->faults, (struct conf_place){.file = name},
				   "the folder cannot be read (%s): make it readable, or remove it",
				   why);
	}
	for (int i = 0; i < count; i++) {
		if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) >= 0) {
			read_file(reader, path, false);
			free(path);
		} else {
			reader->faults->lost = true;
		}
		free(entries[i]);
	}
	free(entries);
	free(folder);
}

static bool has_drop_ins(const char *file)
{
	const char *slash = strrchr(file, '/');

	return strcmp(slash ? slash + 1 : file, "gretel.conf") == 0;
}

/* Judges what was read and tells the faults. */
static int finish(struct conf_reader *reader, FILE *errors, struct conf **out)
{
	int count;

	conf_profiles_fill(reader);
	conf_peers_add(reader);
	conf_vrf_tables(reader->conf);
	conf_check(reader->conf, reader->faults);
	conf_check_ways(reader->conf, reader->faults);
	conf_check_vrfs(reader->conf, reader->faults);
	conf_check_clashes(reader->conf, reader->faults);
	count = conf_faults_print(reader->faults, reader->conf, errors);
	conf_faults_free(reader->faults);
	if (count)
		conf_free(reader->conf);
	else
		*out = reader->conf;
	return count;
}

static int out_of_memory(FILE *errors)
{
	fprintf(errors, "out of memory: free some\n");
	return 1;
}

int conf_load(const char *file, const char *extra, FILE *errors, struct conf **out)
{
	struct conf_faults faults = {0};
	struct conf_reader reader = {.faults = &faults, .conf = calloc(1, sizeof *reader.conf)};

	if (!reader.conf)
		return out_of_memory(errors);
	conf_key_defaults(&reader, SECTION_DAEMON); /* the section may be missing */
	if (file)
		read_file(&reader, file, false);
	if (file && has_drop_ins(file))
		read_drop_ins(&reader, file);
	if (extra)
		read_file(&reader, extra, true);
	return finish(&reader, errors, out);
}

int conf_load_text(const char *name, const char *text, FILE *errors, struct conf **out)
{
	struct conf_faults faults = {0};
	struct conf_reader reader = {.faults = &faults, .conf = calloc(1, sizeof *reader.conf)};
	const char *file;

	if (!reader.conf)
		return out_of_memory(errors);
	conf_key_defaults(&reader, SECTION_DAEMON);
	file = add_file(&reader, name);
	if (file)
		conf_read_text(&reader, file, text, strlen(text));
	return finish(&reader, errors, out);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		free(conf->tunnels[i].remote_name);
		free(conf->tunnels[i].on_up);
		free(conf->tunnels[i].on_down);
		free(conf->tunnels[i].addresses);
		free(conf->tunnels[i].routes);
		free(conf->tunnels[i].peers);
	}
	for (size_t i = 0; i < conf->file_count; i++)
		free(conf->files[i]);
	free(conf->tunnels);
	free(conf->forward.allows);
	free(conf->forward.snats);
	free(conf->forward.publishes);
	free(conf->files);
	free(conf);
}

const struct conf_tunnel *conf_find_tunnel(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (strcmp(conf->tunnels[i].name, name) == 0)
			return &conf->tunnels[i];
	return NULL;
}
