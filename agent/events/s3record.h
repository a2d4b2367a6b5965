/* SPDX-License-Identifier: ISC */
/*
 * Events as S3 would notify of its objects, for receivers that know no others:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/
 * notification-content-structure.html, version 2.1.  Pure.
 */
#ifndef AGENT_EVENTS_S3RECORD_H
#define AGENT_EVENTS_S3RECORD_H

#include "base/buf.h"
#include "base/jdoc.h"

/* Whether EVENT, a CloudEvent of ours, can be told so: a file that came to, or
 * went from, an S3 bucket; or a test. */
bool s3record_takes(const struct jdoc_node *event);

/* Appends the notification of an EVENT that it takes.  CONFIGURATION is its
 * configurationId. */
void s3record_write(
    struct buf *out, const struct jdoc_node *event, const char *configuration);

#endif
