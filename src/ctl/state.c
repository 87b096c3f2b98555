/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *	{"format": 1,
 *	 "saved": {"forward4": [["net/ipv4/ip_forward", "0"], ...], "forward6": [...]},
 *	 "rules": {"wanted": "b0f0...", "listed": "77aa..."},
 *	 "pending": ["My_Tunnel"],
 *	 "returns": {"My_Tunnel": 1},
 *	 "names": [["peer.example.org", "192.0.2.1"], ...]}
 */
#include "ctl/state.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/msg.h"
#include "ctl/state_names.h"

#define FORMAT	   1
#define FILE_LIMIT (16 << 20)

static const char *const switch_names[SWITCH_COUNT] = {"forward4", "forward6", "hash4", "hash6",
						       "liberal"};

int sysctl_list_add(struct sysctl_list *list, const char *path, const char *value)
{
	struct sysctl_value *items =
		reallocarray(list->items, list->count + 1, sizeof(*list->items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	snprintf(items[list->count].path, sizeof(items->path), "%s", path);
	snprintf(items[list->count].value, sizeof(items->value), "%s", value);
	list->count++;
	return 0;
}

int sysctl_list_copy(const struct sysctl_list *from, struct sysctl_list *to)
{
	*to = (struct sysctl_list){0};
	for (size_t i = 0; i < from->count; i++) {
		int err = sysctl_list_add(to, from->items[i].path, from->items[i].value);

		if (err) {
			sysctl_list_free(to);
			return err;
		}
	}
	return 0;
}

void sysctl_list_free(struct sysctl_list *list)
{
	free(list->items);
	*list = (struct sysctl_list){0};
}

static int read_saved(json_t *array, struct sysctl_list *out)
{
	size_t index;
	json_t *pair;

	json_array_foreach (array, index, pair) {
		const char *path = json_string_value(json_array_get(pair, 0));
		const char *value = json_string_value(json_array_get(pair, 1));

		if (!path || !value || strstr(path, "..") || path[0] == '/' ||
		    strlen(path) >= SYSCTL_NAME_SIZE || strlen(value) >= SYSCTL_VALUE_SIZE)
			return -EBADMSG;
		if (sysctl_list_add(out, path, value))
			return -ENOMEM;
	}
	return 0;
}

static int read_hash(const json_t *rules, const char *key, uint64_t *out)
{
	const char *text = json_string_value(json_object_get(rules, key));

	return text && sscanf(text, "%" SCNx64, out) == 1 ? 0 : -EBADMSG;
}

static int read_pending(json_t *array, struct state *out)
{
	size_t index;
	json_t *item;

	if (!json_array_size(array))
		return 0;
	out->pending = calloc(json_array_size(array), sizeof(*out->pending));
	if (!out->pending)
		return -ENOMEM;
	json_array_foreach (array, index, item) {
		const char *name = json_string_value(item);

		if (!name || strlen(name) >= IFNAMSIZ)
			return -EBADMSG;
		snprintf(out->pending[out->pending_count++], IFNAMSIZ, "%s", name);
	}
	return 0;
}

static int read_returns(json_t *object, struct state *out)
{
	const char *name;
	json_t *number;

	json_object_foreach (object, name, number) {
		json_int_t value = json_integer_value(number);

		if (value < 1 || value >= STATE_RETURNS || !name[0] || strlen(name) >= IFNAMSIZ)
			return -EBADMSG;
		snprintf(out->returns[value], IFNAMSIZ, "%s", name);
	}
	return 0;
}

static json_t *make_returns(const struct state *state)
{
	json_t *object = json_object();

	for (int i = 1; i < STATE_RETURNS; i++)
		if (state->returns[i][0])
			json_object_set_new(object, state->returns[i], json_integer(i));
	return object;
}

static int read_all(const json_t *root, struct state *out)
{
	const json_t *saved = json_object_get(root, "saved");
	const json_t *rules = json_object_get(root, "rules");

	if (json_integer_value(json_object_get(root, "format")) != FORMAT)
		return -EBADMSG;
	for (int i = 0; i < SWITCH_COUNT; i++) {
		int err = read_saved(json_object_get(saved, switch_names[i]), &out->saved[i]);

		if (err)
			return err;
	}
	if (rules) {
		if (read_hash(rules, "wanted", &out->rules_wanted) ||
		    read_hash(rules, "listed", &out->rules_listed))
			return -EBADMSG;
		out->rules_known = true;
	}
	int err = read_pending(json_object_get(root, "pending"), out);

	if (!err)
		err = read_returns(json_object_get(root, "returns"), out);
	if (!err)
		err = state_peers_read(json_object_get(root, "peers"), out);
	return err ? err : state_names_read(json_object_get(root, "names"), out);
}

static void clear(struct state *state)
{
	for (int i = 0; i < SWITCH_COUNT; i++)
		sysctl_list_free(&state->saved[i]);
	free(state->pending);
	state->pending = NULL;
	state->pending_count = 0;
	state_names_free(state);
	state_peers_free(state);
	memset(state->returns, 0, sizeof(state->returns));
	state->rules_known = false;
}

int state_load(const char *run_dir, struct state *out)
{
	json_t *root;
	char *text;
	int err;

	*out = (struct state){0};
	if (snprintf(out->path, sizeof(out->path), "%s/%s", run_dir, MSG_STATE) >=
	    (int)sizeof(out->path))
		return -ENAMETOOLONG;
	err = file_read(out->path, FILE_LIMIT, &text);
	if (err)
		return err == -ENOENT ? 0 : err;
	root = json_loads(text, 0, NULL);
	free(text);
	err = root ? read_all(root, out) : -EBADMSG;
	json_decref(root);
	if (err)
		clear(out);
	return err;
}

static json_t *make_saved(const struct sysctl_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array,
				      json_pack("[ss]", list->items[i].path, list->items[i].value));
	return array;
}

static json_t *make_hash(uint64_t hash)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, hash);
	return json_string(text);
}

static json_t *make_all(const struct state *state)
{
	json_t *root = json_object(), *saved = json_object(), *pending = json_array();

	for (int i = 0; i < SWITCH_COUNT; i++)
		if (state->saved[i].count)
			json_object_set_new(saved, switch_names[i], make_saved(&state->saved[i]));
	for (size_t i = 0; i < state->pending_count; i++)
		json_array_append_new(pending, json_string(state->pending[i]));
	json_object_set_new(root, "format", json_integer(FORMAT));
	json_object_set_new(root, "saved", saved);
	json_object_set_new(root, "pending", pending);
	json_object_set_new(root, "returns", make_returns(state));
	json_object_set_new(root, "names", state_names_make(state));
	json_object_set_new(root, "peers", state_peers_make(state));
	if (state->rules_known)
		json_object_set_new(root, "rules",
				    json_pack("{soso}", "wanted", make_hash(state->rules_wanted),
					      "listed", make_hash(state->rules_listed)));
	return root;
}

int state_store(const struct state *state)
{
	json_t *root;
	char *text;
	int err;

	if (!state->path[0])
		return 0;
	root = make_all(state);
	text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	json_decref(root);
	if (!text)
		return -ENOMEM;
	err = file_write(state->path, text, 0600);
	free(text);
	return err;
}

bool state_is_empty(const struct state *state)
{
	for (int i = 0; i < SWITCH_COUNT; i++)
		if (state->saved[i].count)
			return false;
	for (int i = 0; i < STATE_RETURNS; i++)
		if (state->returns[i][0])
			return false;
	return !state->pending_count && !state->rules_known && !state->name_count &&
	       !state->peer_count;
}

int state_remove(const struct state *state)
{
	if (state->path[0])
		file_discard(state->path);
	return state->path[0] && unlink(state->path) < 0 && errno != ENOENT ? -errno : 0;
}

bool state_is_pending(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state->pending_count; i++)
		if (strcmp(state->pending[i], name) == 0)
			return true;
	return false;
}

void state_free(struct state *state)
{
	clear(state);
	state->path[0] = '\0';
}
