/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading. libinih splits lines into names and values, but it passes over what it does not like:
 * it cuts long lines in two, takes "a: b" for "a = b", an indented line for more of the value
 * above, and text after "]" for nothing; and it tells the line of the first error only. So the
 * reader that feeds it hands it one clean line at a time, keeps the line's number, and reports
 * what is not clean.
 */
#include "ctl/conf_parse.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_value.h"

/* What ini_parse_stream() hands back to take_line() and take_value(). */
struct source {
	struct conf_reader *reader;
	const char *text, *end;
};

static void begin_tunnel(struct conf_reader *reader, const char *name)
{
	struct conf *conf = reader->conf;
	struct conf_tunnel *tunnel =
		conf_grow(reader, conf->tunnels, &conf->tunnel_count, sizeof *tunnel);
	const char *wrong;

	if (!tunnel) {
		reader->section = SECTION_UNKNOWN;
		return;
	}
	conf->tunnels = tunnel;
	tunnel += conf->tunnel_count - 1;
	reader->tunnel = tunnel;
	reader->section = SECTION_TUNNEL;
	memset(reader->seen, 0, TUNNEL_KEY_COUNT * sizeof reader->seen[0]);
	if (!reader->defaults_read) {
		conf_key_defaults(reader, SECTION_TUNNEL);
		reader->defaults = *tunnel;
		reader->defaults_read = true;
	}
	*tunnel = reader->defaults;
	tunnel->at = reader->at;
	if (!*name)
		conf_fault(reader->faults, reader->at,
			   "the tunnel has no name: write [tunnel NAME]");
	else if ((wrong = value_name(name, tunnel->name)))
		conf_fault(reader->faults, reader->at,
			   "the tunnel name \"%.60s\" %s: choose up to 15 letters, digits and _ -",
			   name, wrong);
}

/* [forward] and [daemon]: once in a file, added up over the files. */
static void begin_once(struct conf_reader *reader, enum conf_section section, const char *name,
		       struct conf_place *at)
{
	if (at->line)
		conf_fault(reader->faults, reader->at,
			   "[%s] is already at line %d: write its keys under that one", name,
			   at->line);
	*at = reader->at;
	reader->section = section;
}

/* `text` is what stands between [ and ]. */
static void begin_section(struct conf_reader *reader, char *text)
{
	char *words[2] = {"", ""};
	size_t count = value_split(text, words, 2);
	bool forward = strcmp(words[0], "forward") == 0;
	const char *near = "[tunnel NAME], [forward] or [daemon]";

	reader->section = SECTION_UNKNOWN;
	if (strcmp(words[0], "tunnel") == 0 && count > 2) {
		begin_tunnel(reader, words[1]);
		conf_fault(reader->faults, reader->at,
			   "the name of a tunnel is one word: write [tunnel %.20s]", words[1]);
	} else if (strcmp(words[0], "tunnel") == 0) {
		begin_tunnel(reader, words[1]);
	} else if ((forward || strcmp(words[0], "daemon") == 0) && count > 1) {
		conf_fault(reader->faults, reader->at, "[%s] takes no name: write [%s]", words[0],
			   words[0]);
	} else if (forward) {
		begin_once(reader, SECTION_FORWARD, "forward", &reader->forward_at);
		if (!reader->conf->forward.present)
			conf_key_defaults(reader, SECTION_FORWARD);
		reader->conf->forward.present = true;
	} else if (strcmp(words[0], "daemon") == 0) {
		begin_once(reader, SECTION_DAEMON, "daemon", &reader->daemon_at);
	} else {
		conf_fault(reader->faults, reader->at, "section [%.60s] is not known: write %s",
			   words[0], near);
	}
}

/* A line that begins with [. */
static void read_header(struct conf_reader *reader, char *line)
{
	char *close = strchr(line, ']');

	reader->section = SECTION_UNKNOWN;
	if (!close) {
		conf_fault(reader->faults, reader->at, "the section name has no ]: write %.60s]",
			   line);
	} else if (close[1]) {
		conf_fault(reader->faults, reader->at,
			   "there is text behind the ]: write \"%.60s\" on a line of its own",
			   close + 1 + strspn(close + 1, " \t"));
	} else {
		*close = 0;
		begin_section(reader, line + 1);
	}
}

static bool key_name_ok(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
			    text[i]))
			return false;
	return len > 0;
}

/* True when the line is "name = value" in a section where it can be read. */
static bool check_assignment(struct conf_reader *reader, const char *line)
{
	size_t len = strcspn(line, "=");
	bool assigned = line[len] == '=';

	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (!assigned)
		conf_fault(reader->faults, reader->at, "\"%.60s\" has no =: write KEY = VALUE",
			   line);
	else if (!len)
		conf_fault(reader->faults, reader->at,
			   "there is no key before the =: write KEY = VALUE");
	else if (!key_name_ok(line, len))
		conf_fault(reader->faults, reader->at,
			   "\"%.*s\" is not the name of a key: write KEY = VALUE",
			   (int)(len < 60 ? len : 60), line);
	else if (reader->section == SECTION_NONE)
		conf_fault(reader->faults, reader->at,
			   "%.*s stands before the first section: write [tunnel NAME] above it",
			   (int)(len < 60 ? len : 60), line);
	else
		return reader->section != SECTION_UNKNOWN;
	return false;
}

/* Cuts a comment (# or ; at the start or behind a space) and the space around the rest. True when
 * there was text before a comment. */
static bool trim_line(const char **start, size_t *len)
{
	const char *s = *start;
	size_t n = *len, whole;
	bool commented;

	while (n > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	whole = n;
	for (size_t i = 0; i < n; i++) {
		bool first = i == 0 || s[i - 1] == ' ' || s[i - 1] == '\t';

		if (first && (s[i] == '#' || s[i] == ';'))
			n = i;
	}
	commented = n > 0 && n < whole;
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	*start = s;
	*len = n;
	return commented;
}

/* Octets that no line may have, comment or not. Zeros are told once, since UTF-16 is full of them:
 * "" then. */
static const char *bad_octet(const char *line, size_t len, bool *zero_seen)
{
	if (memchr(line, 0, len)) {
		bool again = *zero_seen;

		*zero_seen = true;
		return again ? "" : "the line has a zero octet: save the file as text in UTF-8";
	}
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return "the line has a control character: delete it";
	return NULL;
}

/* Reads one physical line of `len` octets; what libinih is to see of it goes to `out`. */
static void read_line(struct conf_reader *reader, const char *line, size_t len,
		      char out[CONF_LINE_MAX + 1])
{
	const char *bad = bad_octet(line, len, &reader->zero_seen);
	bool bom = reader->at.line == 1 && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0;

	out[0] = 0;
	if (bad && *bad)
		conf_fault(reader->faults, reader->at, "%s", bad);
	if (bad)
		return;
	if (bom) {
		conf_fault(reader->faults, reader->at,
			   "the file begins with a byte order mark: save it as UTF-8 without one");
		line += 3;
		len -= 3;
	}
	reader->commented = trim_line(&line, &len);
	if (len > CONF_LINE_MAX) {
		conf_fault(reader->faults, reader->at,
			   "the line has more than %d characters: write a shorter value, or a list "
			   "as several lines with the same key",
			   CONF_LINE_MAX);
		return;
	}
	memcpy(out, line, len);
	out[len] = 0;
	if (out[0] == '[')
		read_header(reader, out);
	if (out[0] == '[' || (out[0] && !check_assignment(reader, out)))
		out[0] = 0;
}

/* ini_reader: one line into `buf`. Sections are read here, so libinih sees assignments and, to
 * keep its own line numbers right, empty lines. */
static char *take_line(char *buf, int size, void *arg)
{
	struct source *source = arg;
	char line[CONF_LINE_MAX + 1];
	const char *end;
	size_t len;

	if (source->text == source->end)
		return NULL;
	end = memchr(source->text, '\n', (size_t)(source->end - source->text));
	len = (size_t)((end ? end : source->end) - source->text);
	source->reader->at.line++;
	read_line(source->reader, source->text,
		  len > 0 && source->text[len - 1] == '\r' ? len - 1 : len, line);
	source->text = end ? end + 1 : source->end;
	if (snprintf(buf, (size_t)size, "%s\n", line) >= size) {
		conf_fault(source->reader->faults, source->reader->at,
			   "the line is longer than libinih takes: write a shorter value");
		snprintf(buf, (size_t)size, "\n");
	}
	return buf;
}

/* ini_handler. The section is known already. */
static int take_value(void *arg, const char *section, const char *name, const char *value)
{
	struct conf_reader *reader = ((struct source *)arg)->reader;
	int row = conf_key_find(reader->section, name);
	char text[CONF_LINE_MAX + 1];

	(void)section;
	if (row < 0) {
		conf_key_unknown(reader, name);
		return 1;
	}
	snprintf(text, sizeof text, "%s", value);
	reader->key = name;
	conf_key_parse(reader, row, text);
	return 1;
}

void conf_read_text(struct conf_reader *reader, const char *file, const char *text, size_t len)
{
	struct source source = {.reader = reader, .text = text, .end = text + len};
	int wrong;

	reader->at = (struct conf_place){.file = file};
	reader->section = SECTION_NONE;
	reader->zero_seen = false;
	reader->forward_at = reader->daemon_at = (struct conf_place){0};
	wrong = ini_parse_stream(take_line, &source, take_value, &source);
	/* check_assignment() lets nothing through that libinih refuses; if it did, say so */
	if (wrong > 0)
		conf_fault(reader->faults, (struct conf_place){file, wrong},
			   "the line is not understood: write KEY = VALUE");
	else if (wrong < 0)
		conf_fault(reader->faults, (struct conf_place){.file = file},
			   "out of memory: free some");
}
