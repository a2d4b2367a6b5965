/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/cli/init_ask.h"
#include "agent/daemon/schedule.h"
#include "agent/task.h"
#include "base/auto.h"
#include "transfer/url.h"

static void
trim(char *s)
{
	size_t n = strlen(s), begin = strspn(s, " \t\r\n");

	while (n > begin && strchr(" \t\r\n", s[n - 1]) != NULL)
		n--;
	memmove(s, s + begin, n - begin);
	s[n - begin] = '\0';
}

char *
ask(FILE *in, FILE *out, const char *question, ask_check_fn *check, void *arg,
    struct err *e)
{
	AUTO(free) char *line = NULL;
	size_t size = 0;

	for (;;) {
		struct err why = ERR_INIT;

		fprintf(out, "%s: ", question);
		fflush(out);
		if (getline(&line, &size, in) == -1) {
			fputc('\n', out);
			err_set(e, ERR_USAGE, "no answer to \"%s\"", question);
			return NULL;
		}
		trim(line);
		if (check(arg, line, &why) == 0)
			return TAKE(line);
		fprintf(out, "  %s\n", why.msg);
	}
}

int
ask_check_name(void *arg, const char *answer, struct err *e)
{
	(void)arg;
	return task_check_name(answer, e);
}

int
ask_check_place(void *arg, const char *answer, struct err *e)
{
	AUTO(store_url) struct store_url *url = NULL;

	(void)arg;
	if (answer[0] == '\0')
		return err_set(e, ERR_USAGE, "a path or a URL");
	url = store_url_parse(answer, e);
	return url != NULL ? 0 : -1;
}

int
ask_check_schedule(void *arg, const char *answer, struct err *e)
{
	struct schedule scratch;
	int rc;

	(void)arg;
	if (answer[0] == '\0')
		return 0;
	if (schedule_init(&scratch, "task", "machine", e) == -1)
		return -1;
	rc = schedule_set(&scratch, "schedule", answer, e);
	if (rc == -1)
		err_context(e, "schedule");
	schedule_free(&scratch);
	return rc;
}

int
ask_check_nothing(void *arg, const char *answer, struct err *e)
{
	(void)arg;
	(void)answer;
	(void)e;
	return 0;
}
