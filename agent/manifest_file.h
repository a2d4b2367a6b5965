/* SPDX-License-Identifier: ISC */
/*
 * Manifests as files, of any size: written to a scratch file first, then to
 * where they belong, whole; read into a scratch file, and believed only if
 * their last line is right about the rest.
 */
#ifndef AGENT_MANIFEST_FILE_H
#define AGENT_MANIFEST_FILE_H

#include <stdatomic.h>

#include "agent/manifest.h"
#include "agent/options.h"

struct manifest_out;

struct manifest_out *manifest_out_new(
    const struct manifest_head *head, struct err *e);
void manifest_out_free(struct manifest_out *out);
AUTO_DEFINE(manifest_out, struct manifest_out, manifest_out_free)

int manifest_out_add(
    struct manifest_out *out, const struct manifest_item *item, struct err *e);
/* A manifest that is where it belongs. */
struct manifest_proof {
	uint64_t bytes;	    /* of the file; 0: there is none */
	uint64_t items;	    /* that it tells of */
	uint8_t sha256[32]; /* of the file */
};

/* Adds the last line and stores all of it as WHERE; errors name that. */
int manifest_out_send(struct manifest_out *out, const char *where,
    const struct options *o, const char *owner, const atomic_bool *stop,
    struct manifest_proof *proof, struct err *e);

struct manifest_in;

/* Reads WHERE.  ERR_MISMATCH if it isn't what was written once. */
struct manifest_in *manifest_in_open(const char *where, const struct options *o,
    const atomic_bool *stop, struct err *e);
void manifest_in_free(struct manifest_in *in);
AUTO_DEFINE(manifest_in, struct manifest_in, manifest_in_free)

const struct manifest_head *manifest_in_head(const struct manifest_in *in);
/* 1 and the next item, valid until the next call; 0 at the end; -1. */
int manifest_in_next(
    struct manifest_in *in, const struct manifest_item **item, struct err *e);

#endif
