/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "transfer/sftp/knownhosts.h"

#define PORT 22
#define NAME_MAX_BYTES 1024 /* of the host, brackets and port included */
#define SHA1_BYTES 20
#define BLANK " \t"

enum marker { MARKER_NONE, MARKER_AUTHORITY, MARKER_REVOKED };

/* A line that names the host. */
struct entry {
	enum marker marker;
	bool portless; /* the host, but not at its port */
	struct knownhosts_where where;
	size_t type_n; /* bytes of the key's type, which begin at key[4] */
	size_t len;
	uint8_t key[];
};

struct knownhosts {
	char name[NAME_MAX_BYTES];     /* "host" or "[host]:port" */
	char portless[NAME_MAX_BYTES]; /* "host"; "" if the other is that */
	struct entry **entries;
	size_t n, cap;
};

static int
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}

struct knownhosts *
knownhosts_new(const char *host, unsigned port, struct err *e)
{
	struct knownhosts *k = calloc(1, sizeof(*k));
	int n;

	if (k == NULL) {
		out_of_memory(e);
		return NULL;
	}
	n = port == PORT
	    ? snprintf(k->name, sizeof(k->name), "%s", host)
	    : snprintf(k->name, sizeof(k->name), "[%s]:%u", host, port);
	if ((size_t)n >= sizeof(k->name)) {
		err_set(e, ERR_CONFIG, "the host's name is too long");
		free(k);
		return NULL;
	}
	if (port != PORT)
		snprintf(k->portless, sizeof(k->portless), "%s", host);
	lower(k->name);
	lower(k->portless);
	return k;
}

void
knownhosts_free(struct knownhosts *k)
{
	size_t i;

	if (k == NULL)
		return;
	for (i = 0; i < k->n; i++)
		free(k->entries[i]);
	free(k->entries);
	free(k);
}

/* Whether NAME is what the N bytes of PATTERN tell; '*' and '?' are special.
 * Only the last '*' is ever gone back to. */
static bool
is_like(const char *name, const char *pattern, size_t n)
{
	const char *again = NULL; /* where the last '*' could end next */
	size_t i = 0, star = 0;

	while (*name != '\0') {
		if (i < n && pattern[i] == '*') {
			star = ++i;
			again = name;
		} else if (i < n &&
		    (pattern[i] == '?' ||
			tolower((unsigned char)pattern[i]) ==
			    (unsigned char)*name)) {
			i++;
			name++;
		} else if (again != NULL) {
			i = star;
			name = ++again;
		} else {
			return false;
		}
	}
	while (i < n && pattern[i] == '*')
		i++;
	return i == n;
}

/* Patterns with commas between them; one with '!' that fits decides. */
static bool
is_listed(const char *name, const char *list, size_t n)
{
	bool listed = false;
	size_t at, len;

	for (at = 0; at < n; at += len + 1) {
		const char *pattern = list + at;
		const char *comma = memchr(pattern, ',', n - at);

		len = comma != NULL ? (size_t)(comma - pattern) : n - at;
		if (len > 0 && pattern[0] == '!') {
			if (is_like(name, pattern + 1, len - 1))
				return false;
		} else if (is_like(name, pattern, len)) {
			listed = true;
		}
	}
	return listed;
}

/* "|1|salt|hash", both of SHA1_BYTES in base64: HMAC-SHA1 of the name. */
static bool
is_hashed(const char *name, const char *text, size_t n)
{
	const size_t digits = 4 * ((SHA1_BYTES + 2) / 3);
	uint8_t salt[SHA1_BYTES], hash[SHA1_BYTES], own[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	return n == 3 + digits + 1 + digits && text[3 + digits] == '|' &&
	    text_unbase64(text + 3, digits, salt, sizeof(salt)) &&
	    text_unbase64(text + 4 + digits, digits, hash, sizeof(hash)) &&
	    HMAC(EVP_sha1(), salt, sizeof(salt), (const uint8_t *)name,
		strlen(name), own, &len) != NULL &&
	    len == sizeof(hash) && memcmp(own, hash, sizeof(hash)) == 0;
}

static bool
names(const char *field, size_t n, const char *name)
{
	if (name[0] == '\0')
		return false;
	return n > 3 && strncmp(field, "|1|", 3) == 0
	    ? is_hashed(name, field, n)
	    : is_listed(name, field, n);
}

/* The next word of the line at *AT; its length, 0 at the end. */
static size_t
next_word(const char **at, const char **word)
{
	*word = *at + strspn(*at, BLANK);
	*at = *word + strcspn(*word, BLANK "\r\n");
	return (size_t)(*at - *word);
}

/* Whether the blob begins with its type, as it must. */
static bool
is_of_type(const uint8_t *key, size_t len, const char *type, size_t n)
{
	return len >= 4 + n && key[0] == 0 && key[1] == 0 &&
	    (size_t)(key[2] << 8 | key[3]) == n &&
	    memcmp(key + 4, type, n) == 0;
}

/* The key that the base64 TEXT holds; of no length if that is none of TYPE. */
static struct entry *
read_key(const char *type, size_t type_n, const char *text, size_t n)
{
	size_t most = n / 4 * 3, pad = 0;
	struct entry *entry = calloc(1, sizeof(*entry) + most);

	if (entry == NULL)
		return NULL;
	while (pad < 2 && pad < most && text[n - 1 - pad] == '=')
		pad++;
	entry->type_n = type_n;
	if (text_unbase64(text, n, entry->key, most - pad) &&
	    is_of_type(entry->key, most - pad, type, type_n))
		entry->len = most - pad;
	return entry;
}

static int
keep(struct knownhosts *k, struct entry *entry, struct err *e)
{
	struct entry **more;
	size_t cap = k->cap == 0 ? 16 : k->cap * 2;

	if (k->n == KNOWNHOSTS_KEYS_MAX)
		return err_set(e, ERR_CONFIG,
		    "%s:%u: more than %u keys of one host", entry->where.file,
		    entry->where.line, KNOWNHOSTS_KEYS_MAX);
	if (k->n == k->cap) {
		more = reallocarray(k->entries, cap, sizeof(struct entry *));
		if (more == NULL)
			return out_of_memory(e);
		k->entries = more;
		k->cap = cap;
	}
	k->entries[k->n++] = entry;
	return 0;
}

static bool
read_marker(const char **at, enum marker *marker)
{
	static const char *const texts[] = {
	    [MARKER_AUTHORITY] = "@cert-authority",
	    [MARKER_REVOKED] = "@revoked",
	};
	const char *word;
	size_t n;
	unsigned i;

	*marker = MARKER_NONE;
	if ((*at)[strspn(*at, BLANK)] != '@')
		return true;
	n = next_word(at, &word);
	for (i = MARKER_AUTHORITY; i <= MARKER_REVOKED; i++)
		if (n == strlen(texts[i]) && memcmp(word, texts[i], n) == 0)
			*marker = i;
	return *marker != MARKER_NONE;
}

int
knownhosts_line(struct knownhosts *k, const char *file, unsigned number,
    const char *line, struct err *e)
{
	const char *at = line, *field, *type, *key;
	AUTO(free) struct entry *entry = NULL;
	size_t field_n, type_n, key_n;
	enum marker marker;
	bool named, portless;

	if (!read_marker(&at, &marker))
		return 0;
	field_n = next_word(&at, &field);
	type_n = next_word(&at, &type);
	key_n = next_word(&at, &key);
	if (key_n == 0 || field[0] == '#')
		return 0;
	named = names(field, field_n, k->name);
	portless = !named && names(field, field_n, k->portless);
	if (!named && !portless)
		return 0;
	entry = read_key(type, type_n, key, key_n);
	if (entry == NULL)
		return out_of_memory(e);
	if (entry->len == 0)
		return 0;
	entry->marker = marker;
	entry->portless = portless;
	entry->where = (struct knownhosts_where){file, number};
	if (keep(k, entry, e) == -1)
		return -1;
	entry = NULL; /* K's */
	return 0;
}

int
knownhosts_file(struct knownhosts *k, const char *file, struct err *e)
{
	AUTO(fclose) FILE *f = fopen(file, "re");
	AUTO(free) char *line = malloc(KNOWNHOSTS_LINE_MAX + 2);
	unsigned number = 0;

	if (f == NULL) {
		bool missing = errno == ENOENT || errno == ENOTDIR;

		err_sys(e, "%s", file);
		e->kind = missing ? ERR_NOTFOUND : ERR_CONFIG;
		return -1;
	}
	if (line == NULL)
		return out_of_memory(e);
	while (fgets(line, (int)KNOWNHOSTS_LINE_MAX + 2, f) != NULL) {
		number++;
		if (strchr(line, '\n') == NULL && !feof(f))
			return err_set(e, ERR_CONFIG,
			    "%s:%u: has more than %zu bytes, or a NUL", file,
			    number, KNOWNHOSTS_LINE_MAX);
		if (knownhosts_line(k, file, number, line, e) == -1)
			return -1;
	}
	if (ferror(f)) {
		err_sys(e, "%s", file);
		e->kind = ERR_CONFIG;
		return -1;
	}
	return 0;
}

static bool
is_key(const struct entry *entry, const void *key, size_t len)
{
	return entry->len == len && memcmp(entry->key, key, len) == 0;
}

/* Of the entries with the port, or of those without. */
static enum knownhosts_verdict
look_up(const struct knownhosts *k, bool portless, const void *key, size_t len,
    struct knownhosts_where *where)
{
	enum knownhosts_verdict found = KNOWNHOSTS_UNKNOWN;
	size_t i;

	for (i = 0; i < k->n; i++) {
		const struct entry *entry = k->entries[i];
		bool same = is_key(entry, key, len);

		if (entry->portless != portless)
			continue;
		if (entry->marker == MARKER_REVOKED && same) {
			*where = entry->where;
			return KNOWNHOSTS_REVOKED;
		}
		if (entry->marker != MARKER_NONE || found == KNOWNHOSTS_SAME)
			continue;
		if (same || found == KNOWNHOSTS_UNKNOWN)
			*where = entry->where;
		found = same ? KNOWNHOSTS_SAME : KNOWNHOSTS_OTHER;
	}
	return found;
}

enum knownhosts_verdict
knownhosts_check(const struct knownhosts *k, const void *key, size_t len,
    struct knownhosts_where *where)
{
	enum knownhosts_verdict found, other;
	struct knownhosts_where there = {0};

	*where = there;
	found = look_up(k, false, key, len, where);
	other = look_up(k, true, key, len, &there);
	if (found == KNOWNHOSTS_UNKNOWN && other != KNOWNHOSTS_OTHER) {
		*where = there;
		return other;
	}
	return found;
}

static bool
is_revoked(const struct knownhosts *k, const struct entry *entry)
{
	struct knownhosts_where where;

	return knownhosts_check(k, entry->key, entry->len, &where) ==
	    KNOWNHOSTS_REVOKED;
}

bool
knownhosts_has(const struct knownhosts *k, const char *type)
{
	size_t i, n = strlen(type);
	bool with_port = false, has[2] = {false, false};

	for (i = 0; i < k->n; i++) {
		const struct entry *entry = k->entries[i];

		if (entry->marker != MARKER_NONE || is_revoked(k, entry))
			continue;
		with_port = with_port || !entry->portless;
		if (entry->type_n == n && memcmp(entry->key + 4, type, n) == 0)
			has[entry->portless] = true;
	}
	return has[!with_port];
}

bool
knownhosts_authority(const struct knownhosts *k, struct knownhosts_where *where)
{
	size_t i;

	for (i = 0; i < k->n; i++) {
		if (k->entries[i]->marker != MARKER_AUTHORITY)
			continue;
		*where = k->entries[i]->where;
		return true;
	}
	return false;
}
