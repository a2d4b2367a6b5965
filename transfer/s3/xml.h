/* SPDX-License-Identifier: ISC */
/*
 * XML replies of S3, by expat (its only user).  Pure.  Depth, text and names
 * are bounded; a document type declaration (and with it every entity but the
 * five of XML itself) is refused.  Prefixes of names are dropped.
 */
#ifndef TRANSFER_S3_XML_H
#define TRANSFER_S3_XML_H

#include <stddef.h>

#include "base/err.h"

#define XML_TEXT_MAX 16384 /* bytes of text in an element */

/*
 * An element ended: PATH is "/Root/Child/Element", TEXT (N bytes, with a NUL
 * behind) what stood directly in it, and may be changed in place.  Return -1
 * (with *e set) to end with that error.
 */
typedef int xml_fn(
    void *arg, const char *path, char *text, size_t n, struct err *e);

/* ERR_PROTOCOL for anything that is not a whole document within the limits. */
int xml_parse(
    const char *document, size_t len, xml_fn *fn, void *arg, struct err *e);

/* Of expat, as "2.5.0". */
const char *xml_library_version(void);

#endif
