/* SPDX-License-Identifier: ISC */
/*
 * Templates: a request's body of one's own, made of an event.  The text is
 * JSON, in which <NAME> stands for a part of the event, by a JSON pointer, and
 * <event.json> for all of it.  Within a string, what is inserted is escaped,
 * and what isn't there is empty; elsewhere it is a JSON value, null if it isn't
 * there.  So whatever the event holds, what comes out is JSON of that shape.
 * Pure; a template may be used by several threads.
 */
#ifndef AGENT_EVENTS_TEMPLATE_H
#define AGENT_EVENTS_TEMPLATE_H

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jdoc.h"

#define TEMPLATE_VALUES_MAX 100 /* names, and places where they stand */

struct template;

/* Of LEN bytes of TEXT, names not yet known.  ERR_CONFIG tells what is wrong
 * and where. */
struct template *template_new(const char *text, size_t len, struct err *e);
void template_free(struct template *t);
AUTO_DEFINE(template, struct template, template_free)

/* What names stand for: of a JSON object of names and pointers. */
struct template_paths;
struct template_paths *template_paths_new(
    const char *text, size_t len, struct err *e);
void template_paths_free(struct template_paths *p);
AUTO_DEFINE(template_paths, struct template_paths, template_paths_free)

/* PATHS (NULL: none), which must stay, has all names in T; or ERR_CONFIG. */
int template_bind(
    struct template *t, const struct template_paths *paths, struct err *e);

/* Appends what a bound T makes of EVENT; OUT's limit holds. */
void template_fill(
    const struct template *t, const struct jdoc_node *event, struct buf *out);

#endif
