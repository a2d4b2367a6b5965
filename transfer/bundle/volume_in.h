/* SPDX-License-Identifier: ISC */
/* Inside of a volume.  For volume.c and volume_again.c only. */
#ifndef TRANSFER_BUNDLE_VOLUME_IN_H
#define TRANSFER_BUNDLE_VOLUME_IN_H

#include "transfer/bundle/volume.h"

/* *E is of the volume's file that ends in END; returns -1. */
int volume_named(const struct volume *v, const char *end, struct err *e);
/* FLAGS are the tar file's; its index is made after it. */
struct volume *volume_open(
    int dir_fd, uint64_t number, int level, int flags, struct err *e);
/* What the volume is of is said in its first header. */
int volume_begin(struct volume *v, const char *id, struct err *e);
/* Nobody else has it any more, but for syncs. */
void volume_shut(struct volume *v);

#endif
