/* SPDX-License-Identifier: ISC */
/*
 * An item as members of a JSON object, written and read: what manifests and
 * indexes share; dray-manifest(5) describes them.  What is not known is left
 * out.  Reading: -1 and ERR_PROTOCOL name the member that makes no sense.
 * Pure.
 */
#ifndef TRANSFER_ITEMJSON_H
#define TRANSFER_ITEMJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "transfer/attrs.h"
#include "transfer/item.h"
#include "verify/digest.h"

/* Times, mode, owner, extended attributes. */
void itemjson_add_stat(struct json *j, const struct item_stat *st);
/* *ATTRS is the caller's, and what st->attrs is; or NULL. */
int itemjson_stat(const struct jdoc_node *o, struct item_stat *st,
    struct attrs **attrs, struct err *e);

/* PART_BYTES of 0: of the whole, else of the list of parts. */
void itemjson_add_digests(
    struct json *j, const struct digest *d, uint64_t part_bytes);
int itemjson_digests(const struct jdoc_node *o, struct digest *d,
    uint64_t *part_bytes, struct err *e);

/* "path", relative to a root; *EXACT, the caller's, as by jdoc_name(). */
int itemjson_path(const struct jdoc_node *o, const char **path, size_t *len,
    char **exact, struct err *e);
/* Components that are names of files, one '/' between. */
bool itemjson_is_path(const char *path, size_t len);
/* "type": a file, directory or symlink. */
int itemjson_type(
    const struct jdoc_node *o, enum item_type *type, struct err *e);

/* ERR_PROTOCOL for WHAT. */
int itemjson_bad(struct err *e, const char *what);

#endif
