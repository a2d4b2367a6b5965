/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <expat.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "transfer/s3/xml.h"

#define PATH_SIZE 256
#define DEPTH_MAX 16

struct parse {
	XML_Parser parser;
	xml_fn *fn;
	void *arg;
	struct err *e;
	bool failed; /* *e is set */
	unsigned depth;
	char path[PATH_SIZE];
	size_t path_len;
	struct buf text;
};

static void
stop(struct parse *p)
{
	p->failed = true;
	XML_StopParser(p->parser, XML_FALSE);
}

static void
refuse(struct parse *p, const char *why)
{
	if (p->failed)
		return;
	err_set(p->e, ERR_PROTOCOL, "XML reply: %s", why);
	stop(p);
}

static void
on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct parse *p = arg;
	const char *colon = strchr(name, ':');
	size_t n;

	(void)attributes;
	if (colon != NULL)
		name = colon + 1;
	n = strlen(name);
	if (++p->depth > DEPTH_MAX || p->path_len + n + 2 > sizeof(p->path)) {
		refuse(p, "nested too deep");
		return;
	}
	p->path[p->path_len++] = '/';
	memcpy(p->path + p->path_len, name, n + 1);
	p->path_len += n;
	buf_reset(&p->text);
}

static void
on_end(void *arg, const XML_Char *name)
{
	struct parse *p = arg;

	(void)name;
	if (p->failed)
		return;
	buf_add(&p->text, "", 0);
	if (buf_failed(&p->text)) {
		refuse(p, "too much text in an element");
		return;
	}
	if (p->fn(p->arg, p->path, p->text.data, p->text.len, p->e) == -1) {
		stop(p);
		return;
	}
	while (p->path[--p->path_len] != '/')
		continue;
	p->path[p->path_len] = '\0';
	p->depth--;
	buf_reset(&p->text);
}

static void
on_text(void *arg, const XML_Char *s, int n)
{
	struct parse *p = arg;

	buf_add(&p->text, s, (size_t)n);
	if (buf_failed(&p->text))
		refuse(p, "too much text in an element");
}

static void
on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
    const XML_Char *public_id, int has_internal_subset)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal_subset;
	refuse(arg, "a document type declaration has no place there");
}

int
xml_parse(
    const char *document, size_t len, xml_fn *fn, void *arg, struct err *e)
{
	struct parse p = {
	    .fn = fn, .arg = arg, .e = e, .text = BUF_INIT(XML_TEXT_MAX)};
	enum XML_Status status;

	if (len > INT_MAX)
		return err_set(e, ERR_PROTOCOL, "XML reply: too long");
	p.parser = XML_ParserCreate(NULL);
	if (p.parser == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	XML_SetUserData(p.parser, &p);
	XML_SetElementHandler(p.parser, on_start, on_end);
	XML_SetCharacterDataHandler(p.parser, on_text);
	XML_SetStartDoctypeDeclHandler(p.parser, on_doctype);
	status = XML_Parse(p.parser, document, (int)len, XML_TRUE);
	if (status != XML_STATUS_OK && !p.failed) {
		p.failed = true;
		err_set(e, ERR_PROTOCOL, "XML reply: %s in line %lu",
		    XML_ErrorString(XML_GetErrorCode(p.parser)),
		    (unsigned long)XML_GetCurrentLineNumber(p.parser));
	}
	XML_ParserFree(p.parser);
	buf_free(&p.text);
	return p.failed ? -1 : 0;
}

/* "expat_2.5.0" */
const char *
xml_library_version(void)
{
	const char *version = XML_ExpatVersion();

	return version + strcspn(version, "0123456789");
}
