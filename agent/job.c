/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/job.h"

struct job *
job_new(enum job_kind kind, const char *dir, size_t dir_len, const char *name,
    size_t name_len, struct err *e)
{
	size_t sep = dir_len > 0 ? 1 : 0;
	size_t len = dir_len + sep + name_len;
	struct job *j = calloc(1, sizeof(*j) + len + 1);

	if (j == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	j->kind = kind;
	j->path_len = len;
	j->name_len = name_len;
	if (dir_len > 0) {
		memcpy(j->path, dir, dir_len);
		j->path[dir_len] = '/';
	}
	/* Of no bytes, SQLite has no pointer. */
	if (name_len > 0)
		memcpy(j->path + dir_len + sep, name, name_len);
	return j;
}

void
job_free(struct job *j)
{
	size_t i;

	if (j == NULL)
		return;
	if (j->kind == JOB_VERIFY)
		check_free(j->check);
	for (i = 0; i < j->victim_count; i++)
		free(j->victims[i].key);
	free(j->victims);
	free(j->upload_id);
	free(j->leader);
	given_free(j->given);
	attrs_free(j->carried);
	free(j);
}

void
job_list_init(struct job_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
	l->n = 0;
}

void
job_list_push(struct job_list *l, struct job *j)
{
	j->next = NULL;
	*l->tail = j;
	l->tail = &j->next;
	l->n++;
}

struct job *
job_list_pop(struct job_list *l)
{
	struct job *j = l->head;

	if (j == NULL)
		return NULL;
	l->head = j->next;
	if (l->head == NULL)
		l->tail = &l->head;
	l->n--;
	j->next = NULL;
	return j;
}
