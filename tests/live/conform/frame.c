/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <pthread.h>
#include <stdarg.h>

#include "tests/live/conform/conform.h"

struct conform at;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under the lock: */
static unsigned faults;	    /* in the case that runs */
static const char *skipped; /* why it does not apply */
static unsigned passed, broken, none;

bool
claim_that(bool is, const char *file, int line, const char *text)
{
	if (is)
		return true;
	pthread_mutex_lock(&lock);
	faults++;
	printf("#     %s:%d: not so: %s\n", file, line, text);
	pthread_mutex_unlock(&lock);
	return false;
}

/* An error has a kind that has a name, and words for people. */
static void
check_err(const struct err *e, const char *file, int line)
{
	claim_that(
	    e->kind > ERR_NONE && e->kind < ERR_KIND_COUNT && e->msg[0] != '\0',
	    file, line, "the error has a kind and a message");
}

bool
worked(int rc, struct err *e, const char *file, int line, const char *text)
{
	if (!claim_that(rc == 0, file, line, text)) {
		printf(
		    "#     error (%s): %s\n", err_kind_name(e->kind), e->msg);
		check_err(e, file, line);
	}
	*e = (struct err)ERR_INIT;
	return rc == 0;
}

bool
failed(int rc, struct err *e, unsigned kinds, const char *file, int line,
    const char *text)
{
	char claim[300];
	bool as_it_should = rc == -1 && (KIND(e->kind) & kinds) != 0;

	if (rc == -1)
		check_err(e, file, line);
	if (!as_it_should) {
		snprintf(claim, sizeof(claim), "fails as it should: %s", text);
		claim_that(false, file, line, claim);
		if (rc == -1)
			printf("#     error (%s): %s\n", err_kind_name(e->kind),
			    e->msg);
	}
	*e = (struct err)ERR_INIT;
	return as_it_should;
}

void
not_applicable(const char *why)
{
	skipped = why;
}

void
not_held(const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&lock);
	va_start(ap, fmt);
	fputs("not held: ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	pthread_mutex_unlock(&lock);
}

void
remark(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("#     ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

static void
run_case(const struct conform_case *one, const char *only)
{
	uint64_t began_ms = clock_mono_ms();

	if (only != NULL && fnmatch(only, one->name, 0) != 0)
		return;
	faults = 0;
	skipped = NULL;
	one->run();
	atomic_store(&at.stop, false);
	clear_store();
	if (faults > 0) {
		broken++;
		printf("FAIL  %s\n", one->name);
	} else if (skipped != NULL) {
		none++;
		printf("n.a.  %s: %s\n", one->name, skipped);
	} else {
		passed++;
		printf("ok    %s (%llu ms)\n", one->name,
		    (unsigned long long)(clock_mono_ms() - began_ms));
	}
	fflush(stdout);
}

/* The first always: it makes the place. */
static void
run_all(const char *only)
{
	static const struct conform_case *const sets[] = {store_cases,
	    item_cases, name_cases, meta_cases, attrs_cases, link_cases,
	    hardlink_cases, part_cases, source_cases, local_cases};
	const struct conform_case *one;
	size_t i;

	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		for (one = sets[i]; one->name != NULL; one++)
			run_case(one, one == store_cases ? NULL : only);
}

/* Settings of any driver are one line here. */
static const struct {
	const char *name;
	size_t field;
} settings[] = {
    {"endpoint-url", offsetof(struct store_config, endpoint_url)},
    {"region", offsetof(struct store_config, region)},
    {"profile", offsetof(struct store_config, profile)},
    {"ca-bundle", offsetof(struct store_config, ca_bundle)},
    {"checksum-algorithm", offsetof(struct store_config, checksum)},
    {"addressing", offsetof(struct store_config, addressing)},
    {"sftp-transport", offsetof(struct store_config, sftp_transport)},
    {"sftp-identity", offsetof(struct store_config, sftp_identity)},
    {"sftp-known-hosts", offsetof(struct store_config, sftp_known_hosts)},
    {"sftp-ssh", offsetof(struct store_config, sftp_ssh)},
    {"sftp-checksum", offsetof(struct store_config, sftp_checksum)},
};

static int
usage(void)
{
	size_t i;

	fputs("usage: conformance URL [--local DIR] [--only GLOB]", stderr);
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		fprintf(stderr, " [--%s VALUE]", settings[i].name);
	fputs("\nDIR: where the directory that URL names is seen locally\n",
	    stderr);
	return 2;
}

/* The arguments after URL; false if they make no sense. */
static bool
parse(char **argv, const char **local, const char **only)
{
	size_t i;

	for (; argv[0] != NULL; argv += 2) {
		const char **to = NULL;

		if (strncmp(argv[0], "--", 2) != 0 || argv[1] == NULL)
			return false;
		for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
			if (strcmp(argv[0] + 2, settings[i].name) == 0)
				to =
				    (const char **)(void *)((char *)&at.config +
					settings[i].field);
		if (strcmp(argv[0], "--local") == 0)
			to = local;
		else if (strcmp(argv[0], "--only") == 0)
			to = only;
		if (to == NULL)
			return false;
		*to = argv[1];
	}
	return true;
}

/* The URL of NAME below URL, before a query if there is one. */
static struct store_url *
url_below(const char *url, const char *name, struct err *e)
{
	bool nfs = strncmp(url, "nfs://", 6) == 0;
	size_t n = nfs ? strcspn(url, "?") : strlen(url);
	char text[4096];

	snprintf(text, sizeof(text), "%.*s%s%s%s", (int)n, url,
	    n > 0 && url[n - 1] == '/' ? "" : "/", name, url + n);
	return store_url_parse(text, e);
}

/* The place itself goes by the contract, too: from the store above it. */
static void
remove_place(const char *above, const char *name)
{
	struct err e = ERR_INIT;
	AUTO(store_url) struct store_url *url = store_url_parse(above, &e);
	struct handle h;
	struct err results[1];
	char key[100];
	const char *keys[1] = {key};

	store_url_free(at.url);
	at.url = TAKE(url);
	h = handle_open(&at.config);
	snprintf(key, sizeof(key), "%s/", name);
	if (OPS->remove(h.session, keys, 1, results, &e) == -1) {
		printf("FAIL  the place itself is not removed: %s\n", e.msg);
		broken++;
	}
	handle_close(&h);
}

/* Three parts of the least size, and a bit. */
static bool
make_plan(void)
{
	struct plan_limits limits = {0};
	size_t n, i;

	OPS->limits(at.store, &limits);
	at.plan.part_bytes =
	    limits.part_min_bytes > 64 * KIB ? limits.part_min_bytes : 64 * KIB;
	at.plan.size = 3 * at.plan.part_bytes + 17;
	at.plan.parts = 4;
	n = at.plan.size > 512 * KIB ? (size_t)at.plan.size : 512 * KIB;
	at.bytes = malloc(n);
	for (i = 0; at.bytes != NULL && i < n; i++)
		at.bytes[i] = (unsigned char)(i * 2654435761U >> 13);
	return at.bytes != NULL;
}

static bool
begin(const char *url, const char *name, const char *local)
{
	static char path[4096], owner[100];
	struct err e = ERR_INIT;

	snprintf(owner, sizeof(owner), "conformance %s", name);
	at.config.owner = owner;
	at.config.stop = &at.stop;
	at.config.timeout_ms = 30000;
	at.config.connect_timeout_ms = 10000;
	/* It is what reads back, there. */
	at.config.read_back = at.config.sftp_checksum != NULL;
	at.url = url_below(url, name, &e);
	if (at.url != NULL)
		at.store = store_open(at.url, &at.config, &e);
	if (at.store != NULL)
		at.session = store_connect(at.store, &e);
	if (at.session == NULL || !make_plan()) {
		fprintf(stderr, "%s\n", e.msg);
		return false;
	}
	if (local == NULL && at.url->scheme == STORE_POSIX)
		local = url;
	if (local != NULL) {
		snprintf(path, sizeof(path), "%s/%s", local, name);
		at.local = path;
	}
	return true;
}

int
main(int argc, char **argv)
{
	const char *local = NULL, *only = NULL;
	char name[60];

	if (argc < 2 || argv[1][0] == '-' || !parse(argv + 2, &local, &only))
		return usage();
	/* what a key's way to the server could change is in it */
	snprintf(name, sizeof(name), "conform %d+&%%2f", (int)getpid());
	if (!begin(argv[1], name, local))
		return 3;
	run_all(only);
	store_disconnect(at.session);
	remove_place(argv[1], name);
	store_close(at.store);
	store_url_free(at.url);
	free(at.bytes);
	printf("%u ok, %u failed, %u not applicable\n", passed, broken, none);
	return broken == 0 && passed > 0 ? 0 : 1;
}
