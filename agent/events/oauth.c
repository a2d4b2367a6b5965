/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "agent/events/oauth.h"
#include "base/jdoc.h"
#include "base/secret.h"

#define UNSAID_MS (300 * 1000)	 /* a lifetime that wasn't told */
#define LONGEST_S (24 * 60 * 60) /* none is believed to be longer */
#define FORM_MAX ((size_t)4 * SECRET_MAX)

/* As in application/x-www-form-urlencoded; a space is what all decoders know.
 */
static void
add_form(struct buf *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
				    "qrstuvwxyz0123456789*-._";

	for (; *text != '\0'; text++)
		if (strchr(plain, *text) != NULL)
			buf_addc(out, *text);
		else
			buf_addf(out, "%%%02X", (unsigned char)*text);
}

static void
add_field(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(out, "&%s=", name);
	add_form(out, value);
}

static void
add_header(struct buf *out, const char *line)
{
	buf_add(out, line, strlen(line) + 1);
}

int
oauth_request(const struct access *a, struct buf *headers, struct buf *body,
    struct err *e)
{
	AUTO(buf) struct buf id = BUF_SECRET_INIT(FORM_MAX);
	AUTO(buf) struct buf secret = BUF_SECRET_INIT(FORM_MAX);
	const char *text = buf_str(&a->client_secret);

	add_header(headers, "content-type: application/x-www-form-urlencoded");
	add_header(headers, "accept: application/json");
	buf_adds(body, "grant_type=client_credentials");
	add_field(body, "scope", a->scope);
	add_field(body, "audience", a->audience);
	if (a->post) {
		add_field(body, "client_id", a->client_id);
		add_field(body, "client_secret", text);
	} else {
		/* RFC 6749, 2.3.1: encoded before they are joined. */
		add_form(&id, a->client_id);
		add_form(&secret, text);
		access_basic(headers, buf_str(&id), buf_str(&secret));
	}
	if (buf_failed(headers) || buf_failed(body) || buf_failed(&id) ||
	    buf_failed(&secret))
		return err_set(
		    e, ERR_CONFIG, "client-id and client-secret are too long");
	return 0;
}

/* "invalid_client", if that is what the answer has. */
static int
refused(int status, const struct jdoc_node *answer, struct err *e)
{
	const struct jdoc_node *code = jdoc_member(answer, "error");
	size_t i;

	if (code == NULL || code->type != JDOC_STRING || code->len > 60)
		return err_set(e, ERR_DENIED, "HTTP %d", status);
	for (i = 0; i < code->len; i++)
		if (!isalnum((unsigned char)code->text[i]) &&
		    code->text[i] != '_' && code->text[i] != '-')
			return err_set(e, ERR_DENIED, "HTTP %d", status);
	return err_set(e, ERR_DENIED, "HTTP %d %s", status, code->text);
}

/* Whole seconds, as a number or, as some servers have it, a string. */
static uint64_t
lifetime_ms(const struct jdoc_node *node)
{
	uint64_t s = 0;
	size_t i;

	if (node == NULL ||
	    (node->type != JDOC_NUMBER && node->type != JDOC_STRING))
		return UNSAID_MS;
	for (i = 0; i < node->len && s < LONGEST_S; i++) {
		if (!isdigit((unsigned char)node->text[i]))
			break;
		s = s * 10 + (uint64_t)(node->text[i] - '0');
	}
	if (i == 0)
		return UNSAID_MS;
	return (s < LONGEST_S ? s : LONGEST_S) * 1000;
}

/* It becomes part of a header. */
static bool
is_token(const struct jdoc_node *node)
{
	size_t i;

	if (node == NULL || node->type != JDOC_STRING || node->len == 0)
		return false;
	for (i = 0; i < node->len; i++)
		if (node->text[i] <= ' ' || node->text[i] > '~')
			return false;
	return true;
}

int
oauth_reply(int status, const char *text, size_t len, struct buf *token,
    uint64_t *ms, struct err *e)
{
	struct err why = ERR_INIT;
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(text, len, &why);
	const struct jdoc_node *answer = doc != NULL ? jdoc_root(doc) : NULL;
	const struct jdoc_node *type, *value;

	if (status != 200)
		return refused(status, answer, e);
	if (answer == NULL)
		return err_set(e, ERR_PROTOCOL,
		    "an answer that is no JSON, or longer than %d bytes",
		    OAUTH_REPLY_MAX);
	value = jdoc_member(answer, "access_token");
	type = jdoc_member(answer, "token_type");
	if (!is_token(value))
		return err_set(
		    e, ERR_PROTOCOL, "an answer without an access_token");
	if (type != NULL &&
	    (type->type != JDOC_STRING ||
		strcasecmp(type->text, "bearer") != 0))
		return err_set(
		    e, ERR_PROTOCOL, "a token of another type than bearer");
	buf_reset(token);
	buf_add(token, value->text, value->len);
	if (buf_failed(token))
		return err_set(e, ERR_PROTOCOL, "a token that is too long");
	*ms = lifetime_ms(jdoc_member(answer, "expires_in"));
	return 0;
}

uint64_t
oauth_use_ms(uint64_t ms)
{
	uint64_t early = ms / 10 > 30000 ? ms / 10 : 30000;

	return ms > early ? ms - early : 0;
}
