/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <string.h>

#include "agent/events/handshake.h"
#include "agent/events/oauth.h"
#include "agent/events/sender.h"
#include "base/clock.h"

enum letter_kind { LETTER_POST, LETTER_TOKEN, LETTER_CONSENT };
enum need { NEEDS_NOTHING, NEEDS_TOKEN, NEEDS_CONSENT };

/* A request, under way or waiting for what it needs. */
struct letter {
	enum letter_kind kind;
	struct sender *sender;
	struct letter *prev, *next;
	struct buf headers;
	size_t own;	  /* bytes of them that came with it */
	const void *body; /* NULL: it only wants to know of the consent */
	size_t len;
	void *tag;
	unsigned token; /* the number of the one that it carries */
	enum need needs;
	bool again; /* it has had its second token */
};

struct sender {
	const struct subscription *subscription;
	const struct access *access;
	struct http_profile *profile, *token_profile;
	sender_landed_fn *landed;
	struct letter *letters;

	/* The token, if it is still good. */
	struct letter token_letter;
	struct buf token_body;
	struct buf token;
	unsigned token_number; /* of those that there were; 0: none yet */
	uint64_t token_until_ms;
	bool fetching;

	/* The receiver's consent. */
	struct letter consent_letter;
	bool consented, asking;
	uint64_t per_minute; /* 0: any */
	uint64_t credit;     /* sixty-thousandths of requests */
	uint64_t credit_ms;
};

/* The token's server may be one without TLS, and the receiver not. */
static bool
may_fetch(const void *arg, const struct sockaddr *addr)
{
	const struct subscription *s = arg;
	struct netguard guard = s->guard;

	guard.plain = s->access->token_plain;
	return netguard_passes(&guard, addr);
}

struct sender *
sender_new(const struct subscription *subscription, struct http_many *http,
    sender_landed_fn *landed, struct err *e)
{
	AUTO(sender) struct sender *s = calloc(1, sizeof(*s));
	struct http_many_config config = subscription_http(subscription);

	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->subscription = subscription;
	s->access = subscription->access;
	s->landed = landed;
	s->token = s->token_body = (struct buf)BUF_SECRET_INIT(1 << 16);
	s->token_letter = s->consent_letter =
	    (struct letter){.sender = s, .headers = BUF_SECRET_INIT(1 << 16)};
	s->token_letter.kind = LETTER_TOKEN;
	s->consent_letter.kind = LETTER_CONSENT;
	s->profile = http_profile_new(http, &config, e);
	config.text_max = OAUTH_REPLY_MAX;
	config.plain = s->access->token_plain;
	config.may_connect = may_fetch;
	s->token_profile = http_profile_new(http, &config, e);
	return s->profile != NULL && s->token_profile != NULL ? TAKE(s) : NULL;
}

static void
letter_free(struct letter *l)
{
	struct sender *s = l->sender;

	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		s->letters = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	buf_free(&l->headers);
	free(l);
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	while (s->letters != NULL)
		letter_free(s->letters);
	buf_free(&s->token_letter.headers);
	buf_free(&s->consent_letter.headers);
	buf_free(&s->token_body);
	buf_free(&s->token);
	free(s);
}

static int
ask(struct sender *s, struct err *e)
{
	struct letter *l = &s->consent_letter;
	uint64_t per_minute = s->subscription->rate * 60;

	if (s->asking)
		return 0;
	buf_reset(&l->headers);
	handshake_ask(&l->headers, s->access->origin, per_minute);
	if (buf_failed(&l->headers))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (http_many_options(s->profile, s->subscription->url, l->headers.data,
		l->headers.len, l, e) == -1)
		return -1;
	s->asking = true;
	return 0;
}

static int
fetch(struct sender *s, struct err *e)
{
	struct letter *l = &s->token_letter;

	if (s->fetching)
		return 0;
	buf_reset(&l->headers);
	buf_reset(&s->token_body);
	if (oauth_request(s->access, &l->headers, &s->token_body, e) == -1 ||
	    http_many_post(s->token_profile, s->access->token_url,
		l->headers.data, l->headers.len, s->token_body.data,
		s->token_body.len, l, e) == -1)
		return err_context(e, "token");
	s->fetching = true;
	return 0;
}

/* With the newest token, which may be one that was fetched for it. */
static int
post(struct sender *s, struct letter *l, struct err *e)
{
	bool oauth = s->access->auth == ACCESS_OAUTH2;

	l->needs = NEEDS_NOTHING;
	l->token = s->token_number;
	l->headers.len = l->own;
	access_headers(
	    s->access, oauth ? buf_str(&s->token) : NULL, &l->headers);
	if (buf_failed(&l->headers))
		return err_set(e, ERR_CONFIG, "too many headers");
	return http_many_post(s->profile, s->subscription->url, l->headers.data,
	    l->headers.len, l->body, l->len, l, e);
}

static int
go(struct sender *s, struct letter *l, struct err *e)
{
	if (l->body == NULL || (s->access->handshake && !s->consented)) {
		l->needs = NEEDS_CONSENT;
		return ask(s, e);
	}
	if (s->access->auth == ACCESS_OAUTH2 &&
	    clock_mono_ms() >= s->token_until_ms) {
		l->needs = NEEDS_TOKEN;
		return fetch(s, e);
	}
	return post(s, l, e);
}

static struct letter *
letter_new(struct sender *s, void *tag, struct err *e)
{
	struct letter *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->sender = s;
	l->tag = tag;
	l->next = s->letters;
	if (l->next != NULL)
		l->next->prev = l;
	s->letters = l;
	return l;
}

int
sender_post(struct sender *s, struct buf *headers, const void *body, size_t len,
    void *tag, struct err *e)
{
	struct letter *l = letter_new(s, tag, e);

	if (l == NULL)
		return -1;
	l->headers = *headers;
	l->headers.secret = true; /* from here on */
	buf_init(headers, headers->max);
	l->own = l->headers.len;
	l->body = body;
	l->len = len;
	if (s->per_minute > 0 && s->credit >= 60000)
		s->credit -= 60000;
	if (go(s, l, e) == -1) {
		letter_free(l);
		return -1;
	}
	return 0;
}

int
sender_handshake(struct sender *s, void *tag, struct err *e)
{
	struct letter *l = letter_new(s, tag, e);

	if (l == NULL)
		return -1;
	if (go(s, l, e) == -1) {
		letter_free(l);
		return -1;
	}
	return 0;
}

unsigned
sender_room(struct sender *s)
{
	uint64_t now = clock_mono_ms(), most = 60000;

	if (s->access->handshake && !s->consented)
		return s->asking ? 0 : 1;
	if (s->per_minute == 0)
		return UINT_MAX;
	/* As many as a second has may go at once, one at least. */
	if (most < s->per_minute * 1000)
		most = s->per_minute * 1000;
	if (now - s->credit_ms > 60000)
		s->credit = most;
	else
		s->credit += (now - s->credit_ms) * s->per_minute;
	if (s->credit > most)
		s->credit = most;
	s->credit_ms = now;
	return (unsigned)(s->credit / 60000);
}

/* The token that L went out with; NULL if it has none. */
static const char *
carried(const struct letter *l)
{
	static const char before[] = "authorization: Bearer ";
	const char *p =
	    l->sender->access->auth != ACCESS_OAUTH2 || l->headers.data == NULL
	    ? NULL
	    : memmem(
		  l->headers.data, l->headers.len, before, sizeof(before) - 1);

	return p != NULL ? p + sizeof(before) - 1 : NULL;
}

/* L has its answer. */
static void
land(struct letter *l, const struct http_many_reply *r)
{
	struct sender *s = l->sender;
	struct http_many_reply out = *r;
	char text[HTTP_MANY_TEXT_MAX];

	out.tag = l->tag;
	if (out.text_len > sizeof(text))
		out.text_len = sizeof(text);
	if (out.text_len > 0)
		memcpy(text, r->text, out.text_len);
	access_redact(s->access, carried(l), text, out.text_len);
	out.text = text;
	letter_free(l);
	s->landed(out.tag, &out);
}

/* What all of those that wait for it need can't be had: ERR says why.  A server
 * that asks for time gets it. */
static void
land_waiting(struct sender *s, enum need what, const struct http_many_reply *r,
    const struct err *why)
{
	struct http_many_reply out = {.headers = r->headers, .err = *why};
	struct letter *l, *next;

	if (r->refused)
		err_set(&out.err, ERR_NET,
		    "the address is private or reserved, and its network not "
		    "allowed");
	else if (r->status == 0)
		out.err = r->err;
	err_context(
	    &out.err, "%s", what == NEEDS_TOKEN ? "token" : "handshake");
	if (r->status == 429 || r->status == 503) {
		out.status = r->status;
		out.text = out.err.msg;
		out.text_len = strlen(out.err.msg);
	}
	for (l = s->letters; l != NULL; l = next) {
		next = l->next;
		if (l->needs == what)
			land(l, &out);
	}
}

static void
token_came(struct sender *s, const struct http_many_reply *r)
{
	struct err e = ERR_INIT;
	struct letter *l, *next;
	uint64_t ms;

	s->fetching = false;
	if (r->status == 0 ||
	    oauth_reply(r->status, r->text, r->text_len, &s->token, &ms, &e) ==
		-1) {
		land_waiting(s, NEEDS_TOKEN, r, &e);
		return;
	}
	s->token_number++;
	s->token_until_ms = clock_mono_ms() + oauth_use_ms(ms);
	for (l = s->letters; l != NULL; l = next) {
		struct http_many_reply failed = {.status = 0};

		next = l->next;
		/* Though it may be too short-lived for all others. */
		if (l->needs == NEEDS_TOKEN && post(s, l, &failed.err) == -1)
			land(l, &failed);
	}
}

static void
consent_came(struct sender *s, const struct http_many_reply *r)
{
	struct err e = ERR_INIT;
	struct letter *l, *next;

	s->asking = false;
	if (r->status == 0 ||
	    handshake_judge(r->headers, s->access->origin,
		s->subscription->rate * 60, &s->per_minute, &e) == -1) {
		land_waiting(s, NEEDS_CONSENT, r, &e);
		return;
	}
	s->consented = true;
	for (l = s->letters; l != NULL; l = next) {
		struct http_many_reply failed = {.status = 0};

		next = l->next;
		if (l->needs != NEEDS_CONSENT)
			continue;
		if (l->body == NULL)
			land(l, r);
		else if (go(s, l, &failed.err) == -1)
			land(l, &failed);
	}
}

void
sender_land(const struct http_many_reply *r)
{
	struct letter *l = r->tag;
	struct sender *s = l->sender;
	struct http_many_reply failed = {.status = 0};

	if (l->kind == LETTER_TOKEN) {
		token_came(s, r);
		return;
	}
	if (l->kind == LETTER_CONSENT) {
		consent_came(s, r);
		return;
	}
	if (s->access->auth != ACCESS_OAUTH2 || l->again ||
	    (r->status != 401 && r->status != 407)) {
		land(l, r);
		return;
	}
	l->again = true;
	if (l->token == s->token_number)
		s->token_until_ms = 0;
	if (go(s, l, &failed.err) == -1)
		land(l, &failed);
}
