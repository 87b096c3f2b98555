/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/added.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/iptunnel.h"
#include "ctl/msg.h"

#define WORDS_NAME "command line"

/* Prints the faults of a text that nobody wrote as a file, so without "NAME:LINE: ". */
static void print_faults(const char *faults, FILE *errors)
{
	size_t skip = strlen(WORDS_NAME ":");
	while (*faults) {
		size_t len = strcspn(faults, "\n");
		const char *text = faults;
		if (strncmp(text, WORDS_NAME ":", skip) == 0) {
			text += skip;
			while (isdigit((unsigned char)*text))
				text++;
			text += strspn(text, ": ");
		}
		fprintf(errors, "%.*s\n", (int)(len - (size_t)(text - faults)), text);
		faults += len + (faults[len] == '\n');
	}
}

/* Checks a section as if it had been read from a file. Returns the conf, or NULL. */
static struct conf *load_section(const char *section, FILE *errors)
{
	char *faults = NULL;
	size_t size;
	FILE *stream = open_memstream(&faults, &size);
	struct conf *conf = NULL;
	if (!stream)
		return NULL;
	if (conf_load_text(WORDS_NAME, section, stream, &conf) != 0)
		conf = NULL;
	fclose(stream);
	print_faults(faults, errors);
	free(faults);
	return conf;
}

/* A tunnel of which only the name, the mode and the ends are not the default. NULL, and the reason
 * on `errors`, when the configuration language refuses it. */
static struct conf *new_tunnel(const struct iptunnel *said, FILE *errors)
{
	if (!said->remote.family || !said->local.family) {
		const char *missing = said->remote.family ? "local" : "remote";
		fprintf(errors, "\"%s\" is missing: write %s ADDRESS, the outer address of %s\n",
			missing, missing, said->remote.family ? "this host" : "the peer");
		return NULL;
	}
	char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE], section[256];
	snprintf(section, sizeof section, "[tunnel %s]\nmode = %s\nlocal = %s\nremote = %s\n",
		 said->name, said->has_mode && said->mode == MODE_GRETAP ? "gretap" : "gre",
		 addr_format(&said->local, local), addr_format(&said->remote, remote));
	return load_section(section, errors);
}

/* Prints the section of `old` with what was said over it, after checking the result. */
static int print_changed(const struct iptunnel *said, const struct conf_tunnel *old, FILE *errors,
			 FILE *out)
{
	struct conf_tunnel tunnel = *old;
	char error[IPTUNNEL_ERROR_SIZE];
	if (iptunnel_apply(said, &tunnel, error) != 0) {
		fprintf(errors, "%s\n", error);
		return EXIT_USAGE;
	}
	char *section = NULL;
	size_t size;
	FILE *stream = open_memstream(&section, &size);
	if (!stream)
		return EXIT_FAILED;
	conf_print_tunnel(&tunnel, stream);
	fclose(stream);
	struct conf *conf = load_section(section, errors);
	if (conf)
		fputs(section, out);
	free(section);
	if (!conf)
		return EXIT_CONFIG;
	conf_free(conf);
	return 0;
}

static int print_new(const struct iptunnel *said, FILE *errors, FILE *out)
{
	struct conf *conf = new_tunnel(said, errors);
	if (!conf)
		return said->remote.family && said->local.family ? EXIT_CONFIG : EXIT_USAGE;
	int e = print_changed(said, &conf->tunnels[0], errors, out);
	conf_free(conf);
	return e;
}

/* Whether the verb and the name go together. */
static int check_name(const char *path, enum added_verb verb, const char *name,
		      const struct conf *added, const struct conf *desired, FILE *errors)
{
	const struct conf_tunnel *in_added = conf_find_tunnel(added, name);
	const struct conf_tunnel *in_main = desired ? conf_find_tunnel(desired, name) : NULL;
	if (in_main && strcmp(in_main->at.file, path) == 0)
		in_main = NULL;
	if (verb == ADDED_ADD) {
		if (!in_added && !in_main)
			return 0;
		if (in_main)
			fprintf(errors, "tunnel %s exists, from %s:%d: change it there\n", name,
				in_main->at.file, in_main->at.line);
		else
			fprintf(errors, "tunnel %s exists: use \"gretel change\"\n", name);
		return EXIT_FAILED;
	}
	if (in_added)
		return 0;
	if (in_main)
		fprintf(errors,
			"tunnel %s comes from %s:%d: change it there, then \"gretel reload\"\n",
			name, in_main->at.file, in_main->at.line);
	else
		fprintf(errors, "there is no tunnel %s: \"gretel show\" lists them\n", name);
	return EXIT_FAILED;
}

/* All sections, the one that was spoken of changed, left out or appended. */
static int print_file(const struct conf *added, enum added_verb verb, const struct iptunnel *said,
		      FILE *errors, FILE *out)
{
	int e = 0;
	fputs("# Written by \"gretel add\", and by it alone.\n", out);
	for (size_t i = 0; i < added->tunnel_count && e == 0; i++) {
		const struct conf_tunnel *t = &added->tunnels[i];
		bool meant = strcmp(t->name, said->name) == 0;
		if (meant && verb == ADDED_DEL)
			continue;
		if (meant)
			e = print_changed(said, t, errors, out);
		else
			conf_print_tunnel(t, out);
		fputc('\n', out);
	}
	if (e == 0 && verb == ADDED_ADD)
		return print_new(said, errors, out);
	return e;
}

int added_edit(const char *path, enum added_verb verb, const char *const *words, size_t count,
	       const struct conf *desired, FILE *errors, char **text)
{
	struct iptunnel said;
	char error[IPTUNNEL_ERROR_SIZE];
	if (iptunnel_parse(words, count, &said, error) != 0) {
		fprintf(errors, "%s\n", error);
		return EXIT_USAGE;
	}
	struct conf *added = NULL;
	if (conf_load(NULL, path, errors, &added) != 0)
		return EXIT_CONFIG;
	int e = check_name(path, verb, said.name, added, desired, errors);
	char *new_text = NULL;
	size_t size;
	FILE *out = e ? NULL : open_memstream(&new_text, &size);
	if (out) {
		e = print_file(added, verb, &said, errors, out);
		fclose(out);
	}
	if (new_text && verb == ADDED_DEL && added->tunnel_count == 1)
		new_text[0] = '\0';
	conf_free(added);
	if (e == 0 && !new_text)
		e = EXIT_FAILED;
	if (e) {
		free(new_text);
		return e;
	}
	*text = new_text;
	return 0;
}

int added_write(const char *path, const char *text)
{
	if (text[0] != '\0')
		return file_write(path, text, 0600);
	/* With the half-written successor that a killed daemon may have left. */
	file_discard(path);
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}
