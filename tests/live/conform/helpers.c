/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>

#include "tests/live/conform/conform.h"

const char *
shown(const char *key)
{
	static char text[4][120];
	static unsigned next;
	char *out = text[next++ % 4];
	size_t n = strlen(key);

	return text_escaped(key, n, out, sizeof(text[0]));
}

static void
give_up(const char *what, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", what, e->msg);
	exit(1);
}

struct handle
handle_open(const struct store_config *config)
{
	struct err e = ERR_INIT;
	struct handle h = {.store = store_open(at.url, config, &e)};

	if (h.store != NULL)
		h.session = store_connect(h.store, &e);
	if (h.session == NULL)
		give_up("open the store again", &e);
	return h;
}

void
handle_close(struct handle *h)
{
	store_disconnect(h->session);
	store_close(h->store);
	*h = (struct handle){0};
}

struct session *
session_more(void)
{
	struct err e = ERR_INIT;
	struct session *c = store_connect(at.store, &e);

	if (c == NULL)
		give_up("connect again", &e);
	return c;
}

struct digest
digest_of(const void *p, size_t n)
{
	struct err e = ERR_INIT;
	AUTO(digester) struct digester *d = digester_new(&e);
	struct digest out;

	if (d == NULL)
		give_up("digester", &e);
	digester_start(d,
	    DIGEST_XXH3 | DIGEST_CRC64NVME | DIGEST_CRC32C |
		OPS->digests(at.store));
	digester_update(d, p, n);
	digester_finish(d, &out);
	return out;
}

struct item_stat
a_file(size_t size)
{
	return (struct item_stat){
	    .type = ITEM_FILE,
	    .mode = S_IFREG | 0640,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .size = size,
	    .mtime_ns = 1595002920123456789,
	};
}

struct item_stat
a_dir(void)
{
	struct item_stat st = a_file(0);

	st.type = ITEM_DIR;
	st.mode = S_IFDIR | 0750;
	return st;
}

int
put_by(struct session *c, const char *key, const struct item_stat *st,
    const void *p, size_t n, struct err *e)
{
	struct digest d = digest_of(p, n);
	struct store_receipt r;

	return OPS->put(c, key, st, p, n, &d, &r, e);
}

bool
put(const char *key, const void *p, size_t n)
{
	struct item_stat st = a_file(n);
	struct err e = ERR_INIT;

	return WORKS(put_by(at.session, key, &st, p, n, &e), &e);
}

bool
put_text(const char *key, const char *text)
{
	return put(key, text, strlen(text));
}

bool
make_dir(const char *key)
{
	struct item_stat st = a_dir();
	struct err e = ERR_INIT;

	return WORKS(OPS->mkdir(at.session, key, &st, &e), &e);
}

bool
stat_of(const char *key, struct store_stat *out)
{
	struct err e = ERR_INIT;

	return WORKS(OPS->stat(at.session, key, out, &e), &e);
}

bool
is_absent(const char *key)
{
	struct store_stat st;
	struct err e = ERR_INIT;

	return OPS->stat(at.session, key, &st, &e) == -1 &&
	    e.kind == ERR_NOTFOUND;
}

bool
holds(const char *key, const void *p, size_t n)
{
	AUTO(free) void *got = malloc(n + 1);
	struct store_stat st;
	struct err e = ERR_INIT;

	if (got == NULL || !stat_of(key, &st) ||
	    !CLAIM(st.type == ITEM_FILE && st.size == n) ||
	    (n > 0 && !WORKS(OPS->read(at.session, key, 0, got, n, &e), &e)))
		return false;
	return CLAIM(memcmp(got, p, n) == 0);
}

bool
holds_text(const char *key, const char *text)
{
	return holds(key, text, strlen(text));
}

bool
remove_keys(const char *const *keys, size_t n)
{
	AUTO(free) struct err *results = calloc(n + 1, sizeof(*results));
	struct err e = ERR_INIT;
	size_t i;

	if (results == NULL ||
	    !WORKS(OPS->remove(at.session, keys, n, results, &e), &e))
		return false;
	for (i = 0; i < n; i++)
		if (!CLAIM(results[i].kind == ERR_NONE))
			return false;
	return true;
}

bool
remove_key(const char *key)
{
	return remove_keys(&key, 1);
}

static int
take(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct listed *l = arg;
	struct listed_entry *more;

	if (entry->key_len != strlen(entry->key))
		return err_set(e, ERR_PROTOCOL, "key and key_len disagree");
	if ((l->n & (l->n + 1)) == 0) {
		more = realloc(l->entries, (2 * l->n + 2) * sizeof(*more));
		if (more == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		l->entries = more;
	}
	l->entries[l->n].st = entry->st;
	l->entries[l->n].key = strdup(entry->key);
	return l->entries[l->n++].key != NULL
	    ? 0
	    : err_set(e, ERR_NOMEM, "out of memory");
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(((const struct listed_entry *)a)->key,
	    ((const struct listed_entry *)b)->key);
}

struct listed
list_of(const char *dir, bool recursive)
{
	struct listed l = {0};
	struct err e = ERR_INIT;

	WORKS(OPS->list(at.session, dir, recursive, take, &l, &e), &e);
	if (l.n > 0)
		qsort(l.entries, l.n, sizeof(*l.entries), by_key);
	return l;
}

void
listed_free(struct listed *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->entries[i].key);
	free(l->entries);
	*l = (struct listed){0};
}

const struct listed_entry *
listed_find(const struct listed *l, const char *key)
{
	const struct listed_entry *found = NULL;
	struct listed_entry want = {0};
	AUTO(free) char *copy = strdup(key);

	want.key = copy;
	if (l->n > 0)
		found = bsearch(&want, l->entries, l->n, sizeof(want), by_key);
	if (found == NULL)
		return NULL;
	CLAIM(found == l->entries || strcmp(found[-1].key, key) != 0);
	CLAIM(found == l->entries + l->n - 1 || strcmp(found[1].key, key) != 0);
	return found;
}

/* What is in a directory sorts after it: backwards it goes first. */
void
clear_store(void)
{
	struct listed l = list_of("", true);
	AUTO(free) const char **keys = calloc(l.n + 1, sizeof(*keys));
	size_t i;

	for (i = 0; keys != NULL && i < l.n; i++) {
		struct listed_entry *entry = &l.entries[l.n - 1 - i];
		size_t n = strlen(entry->key);

		if (entry->st.type == ITEM_DIR) {
			entry->key = realloc(entry->key, n + 2);
			memcpy(entry->key + n, "/", 2);
		}
		keys[i] = entry->key;
	}
	if (l.n > 0)
		remove_keys(keys, l.n);
	listed_free(&l);
	l = list_of("", true);
	for (i = 0; i < l.n && i < 10; i++)
		remark("left: %s", shown(l.entries[i].key));
	if (!CLAIM(l.n == 0)) {
		puts("FAIL  the store can't be emptied: no case can follow");
		exit(1);
	}
	listed_free(&l);
}

struct one_thread {
	pthread_t id;
	struct session *session;
	unsigned number;
	thread_fn *fn;
	void *arg;
	bool rc;
};

static void *
run_thread(void *arg)
{
	struct one_thread *t = arg;

	t->rc = t->fn(t->session, t->number, t->arg);
	return NULL;
}

bool
in_threads(unsigned n, thread_fn *fn, void *arg)
{
	struct one_thread threads[16];
	bool all = true;
	unsigned i;

	for (i = 0; i < n; i++) {
		threads[i] = (struct one_thread){
		    .session = session_more(),
		    .number = i,
		    .fn = fn,
		    .arg = arg,
		};
		if (pthread_create(
			&threads[i].id, NULL, run_thread, &threads[i]) != 0)
			abort();
	}
	for (i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		store_disconnect(threads[i].session);
		all &= threads[i].rc;
	}
	return all;
}
