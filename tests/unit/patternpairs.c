/* SPDX-License-Identifier: ISC */
/*
 * Patterns against a second matcher, tests/fakes/patternref.py, by as many
 * random pairs of pattern and event as there is time for.  DRAY_SEED begins
 * with another seed than 1.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/events/pattern.h"
#include "base/buf.h"
#include "tests/unit/check.h"

#define PAIRS "20000"

static const char *
verdict(const char *pattern, const char *event)
{
	struct err e = ERR_INIT;
	AUTO(pattern) struct pattern *p = NULL;
	AUTO(jdoc) struct jdoc *d = NULL;
	int rc;

	p = pattern_new(pattern, strlen(pattern), &e);
	if (p == NULL)
		return e.kind == ERR_CONFIG ? "invalid" : "broken";
	d = jdoc_parse(event, strlen(event), &e);
	rc = d != NULL ? pattern_match(p, jdoc_root(d), &e) : -1;
	return rc == 1 ? "yes" : rc == 0 ? "no" : "broken";
}

/* Its output; *PID is its. */
static FILE *
start(const char *script, const char *seed, pid_t *pid)
{
	int fds[2];

	if (pipe(fds) == -1 || (*pid = fork()) == -1)
		return NULL;
	if (*pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execlp("python3", "python3", script, seed, PAIRS, (char *)NULL);
		_exit(77);
	}
	close(fds[1]);
	return fdopen(fds[0], "r");
}

/* Cuts the next field off *LINE. */
static const char *
field(char **line)
{
	const char *f = strsep(line, "\t\n");

	return f != NULL ? f : "";
}

static unsigned long
compare(FILE *f)
{
	AUTO(free) char *line = NULL;
	size_t size = 0;
	unsigned long n = 0;

	for (; getline(&line, &size, f) > 0; n++) {
		char *at = line;
		const char *pattern = field(&at), *event = field(&at);
		const char *want = field(&at), *got = verdict(pattern, event);

		if (strcmp(got, want) == 0)
			continue;
		check_failures++;
		fprintf(stderr, "pair %lu: %s, not %s\n%s\n%s\n", n, got, want,
		    pattern, event);
	}
	return n;
}

static const char *seed, *script;
static bool impossible; /* there is no python3 */

static void
two_matchers_agree(void)
{
	pid_t pid = -1;
	AUTO(fclose) FILE *f = start(script, seed, &pid);
	unsigned long n;
	int status = -1;

	CHECK(f != NULL);
	if (f == NULL)
		return;
	n = compare(f);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	impossible = WEXITSTATUS(status) == 77;
	CHECK(impossible || (status == 0 && n == strtoul(PAIRS, NULL, 10)));
	if (check_failures > 0)
		fprintf(stderr, "DRAY_SEED=%s\n", seed);
}

int
main(void)
{
	const char *srcdir = getenv("srcdir");
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	buf_addf(&path, "%s/tests/fakes/patternref.py",
	    srcdir != NULL ? srcdir : ".");
	script = buf_str(&path);
	seed = getenv("DRAY_SEED");
	if (seed == NULL)
		seed = "1";
	RUN(two_matchers_agree);
	return impossible ? 77 : check_end();
}
