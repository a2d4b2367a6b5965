/* SPDX-License-Identifier: ISC */
/* Extended attributes, ACLs, times of access. */
#include "config.h"

#include "tests/live/conform/conform.h"

#define SECOND INT64_C(1000000000)
#define BOTH (ATTRS_XATTRS | ATTRS_ACLS)

/* The store as one that is to keep them. */
static struct store_config keeping;
static struct handle h;

static const struct store_driver *
begin(void)
{
	keeping = at.config;
	keeping.keep_xattrs = keeping.keep_acls = keeping.keep_atimes = true;
	h = handle_open(&keeping);
	return h.store->ops;
}

/* What only the driver knows of is listed by nobody. */
static void
end(void)
{
	char url[4200];
	struct err e = ERR_INIT;
	struct store_url *mine = at.url;
	struct session *was = at.session;
	struct handle own;

	handle_close(&h);
	if (HAS(STORE_HAS_DIRS) || !HAS(STORE_HAS_ATTRS))
		return;
	snprintf(url, sizeof(url), "%s/.dray", mine->text);
	at.url = store_url_parse(url, &e);
	if (at.url != NULL) {
		own = handle_open(&at.config);
		at.session = own.session;
		clear_store();
		handle_close(&own);
		store_url_free(at.url);
	}
	at.url = mine;
	at.session = was;
}

static bool
keeps_them(void)
{
	if (HAS(STORE_HAS_ATTRS))
		return true;
	not_applicable("the store keeps no extended attributes");
	return false;
}

static struct attrs *
some(unsigned kinds)
{
	/* user::rw- user:1000:r-- group::r-- mask::r-- other::--- */
	static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255,
	    255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16,
	    0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};
	struct err e = ERR_INIT;
	struct attrs *a = attrs_new(kinds, &e);

	if (kinds & ATTRS_XATTRS) {
		WORKS(attrs_add(a, "user.bytes", "\0\1\xff\n=", 5, &e), &e);
		WORKS(attrs_add(a, "user.empty", "", 0, &e), &e);
		WORKS(attrs_add(a, "user.odd \xff=%\n", "x", 1, &e), &e);
	}
	if (kinds & ATTRS_ACLS)
		WORKS(attrs_add(
			  a, "system.posix_acl_access", acl, sizeof(acl), &e),
		    &e);
	return a;
}

/* Whether KEY has just those of WANT, and of no other kind. */
static bool
has(const char *key, enum item_type type, const struct attrs *want)
{
	AUTO(attrs) struct attrs *got = NULL;
	struct err e = ERR_INIT;
	size_t i;

	if (!WORKS(h.store->ops->attrs(h.session, key, type, &got, &e), &e) ||
	    !CLAIM(got != NULL))
		return false;
	/* A label that the system gives is nobody's. */
	for (i = 0; i < got->n; i++)
		if (attrs_find(want, got->each[i].name) == NULL &&
		    strncmp(got->each[i].name, "security.", 9) != 0)
			return CLAIM(
			    attrs_find(want, got->each[i].name) != NULL);
	for (i = 0; i < want->n; i++) {
		const struct attr *one = attrs_find(got, want->each[i].name);

		if (!CLAIM(one != NULL && one->len == want->each[i].len) ||
		    !CLAIM(
			memcmp(one->value, want->each[i].value, one->len) == 0))
			return false;
	}
	return true;
}

/* What the store couldn't hold since the last time. */
static bool
lacks(enum store_lack what)
{
	if (atomic_exchange(&h.store->lacks[what].items, 0) == 0)
		return false;
	not_held("%s: %s",
	    what == STORE_LACK_ACL ? "ACLs" : "extended attributes",
	    atomic_load(&h.store->lacks[what].why));
	return true;
}

static bool
put_with(const char *key, const struct attrs *a)
{
	struct item_stat st = a_file(4);
	struct err e = ERR_INIT;

	st.mode = S_IFREG | 0640;
	st.attrs = a;
	return WORKS(put_by(h.session, key, &st, "text", 4, &e), &e);
}

static bool
set_to(const char *key, const struct attrs *a)
{
	struct item_stat st = a_file(4);
	struct store_receipt r;
	struct err e = ERR_INIT;

	st.mode = S_IFREG | 0640;
	st.attrs = a;
	return WORKS(OPS->set_metadata(h.session, key, &st, NULL, &r, &e), &e);
}

static void
attributes_and_acls_are_kept(void)
{
	AUTO(attrs) struct attrs *a = some(BOTH);
	AUTO(attrs) struct attrs *none = some(0);
	struct item_stat dir = a_dir();
	struct err e = ERR_INIT;
	bool lacking;

	if (!keeps_them())
		return;
	begin();
	none->kinds = BOTH;
	dir.mode = S_IFDIR | 0640; /* as the ACL has it */
	dir.attrs = a;
	put_with("f", a);
	put_with("none", none);
	WORKS(OPS->mkdir(h.session, "d", &dir, &e), &e);
	lacking = lacks(STORE_LACK_XATTR);
	lacking |= lacks(STORE_LACK_ACL);
	if (!lacking) {
		has("f", ITEM_FILE, a);
		has("none", ITEM_FILE, none);
		has("d", ITEM_DIR, a);
		set_to("none", a);
		has("none", ITEM_FILE, a);
		set_to("f", none);
		has("f", ITEM_FILE, none);
		dir.attrs = none;
		WORKS(OPS->mkdir(h.session, "d", &dir, &e), &e);
		has("d", ITEM_DIR, none);
	}
	holds_text("f", "text");
	holds_text("none", "text");
	end();
}

/* A file that is opened as a source tells of the same. */
static void
an_open_file_tells_of_them(void)
{
	AUTO(attrs) struct attrs *a = some(BOTH);
	struct item_stat st = a_file(4);
	struct store_file *f;
	struct err e = ERR_INIT;

	if (!keeps_them())
		return;
	begin();
	put_with("f", a);
	f = OPS->open_file(h.session, "f", 4, &e);
	if (WORKS(f != NULL ? 0 : -1, &e)) {
		CLAIM(f->attrs != NULL && f->meta.attrs == f->attrs);
		CLAIM(f->state.attrs == NULL);
		if (f->attrs != NULL && !lacks(STORE_LACK_XATTR) &&
		    !lacks(STORE_LACK_ACL))
			CLAIM(
			    attrs_mark(f->attrs, BOTH) == attrs_mark(a, BOTH) ||
			    attrs_any(f->attrs, ATTRS_XATTRS));
		OPS->close_file(f);
	}
	/* who doesn't ask is told nothing */
	f = OPS->open_file(at.session, "f", 4, &e);
	if (WORKS(f != NULL ? 0 : -1, &e)) {
		CLAIM(f->attrs == NULL && f->meta.attrs == NULL);
		CLAIM(!f->meta.has_atime);
		OPS->close_file(f);
	}
	WORKS(put_by(h.session, "unknown", &st, "text", 4, &e), &e);
	f = OPS->open_file(h.session, "unknown", 4, &e);
	if (WORKS(f != NULL ? 0 : -1, &e)) {
		CLAIM(!attrs_any(f->attrs, ATTRS_ACLS));
		OPS->close_file(f);
	}
	end();
}

static void
attributes_that_are_not_known_stay(void)
{
	AUTO(attrs) struct attrs *both = some(BOTH);
	AUTO(attrs) struct attrs *no_acl = some(ATTRS_XATTRS);
	AUTO(attrs) struct attrs *no_xattr = some(0);
	AUTO(attrs) struct attrs *acl = some(ATTRS_ACLS);
	AUTO(attrs) struct attrs *got = NULL;
	struct err e = ERR_INIT;

	if (!keeps_them())
		return;
	begin();
	/* who knows of nothing tells nothing */
	put_with("f", no_xattr);
	WORKS(h.store->ops->attrs(h.session, "f", ITEM_FILE, &got, &e), &e);
	CLAIM(!attrs_any(got, BOTH));
	put_with("f", both);
	if (!lacks(STORE_LACK_XATTR) && !lacks(STORE_LACK_ACL)) {
		set_to("f", NULL);
		has("f", ITEM_FILE, both);
		set_to("f", no_acl);
		has("f", ITEM_FILE, both);
		set_to("f", no_xattr);
		has("f", ITEM_FILE, both);
		no_xattr->kinds = ATTRS_XATTRS;
		set_to("f", no_xattr);
		acl->kinds = BOTH;
		has("f", ITEM_FILE, acl);
	}
	end();
}

static void
big_attributes_are_kept_or_counted(void)
{
	static const size_t sizes[] = {1000, 1100, 1200, 3500, 20000, 60000};
	char value[60000];
	struct err e = ERR_INIT;
	size_t i;

	if (!keeps_them())
		return;
	begin();
	memset(value, '\xa5', sizeof(value));
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		AUTO(attrs) struct attrs *a = attrs_new(BOTH, &e);

		WORKS(attrs_add(a, "user.big", value, sizes[i], &e), &e);
		put_with("f", a);
		if (atomic_exchange(
			&h.store->lacks[STORE_LACK_XATTR].items, 0) > 0) {
			remark("%zu bytes: too big", sizes[i]);
			break;
		}
		has("f", ITEM_FILE, a);
		set_to("f", NULL);
		has("f", ITEM_FILE, a);
	}
	CLAIM(i > 0);
	holds_text("f", "text");
	end();
}

static void
a_file_in_parts_has_them_too(void)
{
	AUTO(attrs) struct attrs *a = some(BOTH);
	struct store_part parts[4] = {{0}};
	char id[STORE_ID_MAX];
	struct store_upload u = {.key = "big",
	    .id = id,
	    .plan = at.plan,
	    .st = a_file(at.plan.size)};
	struct digest whole = digest_of(at.bytes, at.plan.size);
	struct store_receipt r;
	struct err e = ERR_INIT;
	uint32_t i;

	if (!keeps_them())
		return;
	begin();
	u.st.mode = S_IFREG | 0640;
	u.st.attrs = a;
	WORKS(OPS->upload_begin(h.session, "big", &u.st, &at.plan, id, &e), &e);
	for (i = 0; i < at.plan.parts; i++) {
		const void *p = at.bytes + plan_offset(&at.plan, i + 1);
		size_t len = (size_t)plan_length(&at.plan, i + 1);

		parts[i] = (struct store_part){
		    .number = i + 1, .size = len, .digest = digest_of(p, len)};
		WORKS(OPS->upload_part(h.session, &u, i + 1, p, len,
			  &parts[i].digest, &r, &e),
		    &e);
		memcpy(parts[i].etag, r.etag, sizeof(r.etag));
	}
	whole.have &= DIGEST_CRC64NVME | DIGEST_CRC32C;
	WORKS(OPS->upload_complete(
		  h.session, &u, parts, at.plan.parts, &whole, &r, &e),
	    &e);
	if (!lacks(STORE_LACK_XATTR) && !lacks(STORE_LACK_ACL))
		has("big", ITEM_FILE, a);
	end();
}

static void
times_of_access_are_kept(void)
{
	static const int64_t times[] = {1595002920123456789, 1, 77 * SECOND};
	struct item_stat st = a_file(4);
	struct store_file *f;
	struct store_receipt r;
	struct err e = ERR_INIT;
	size_t i;

	begin();
	for (i = 0; i < 3; i++) {
		st.has_atime = true;
		st.atime_ns = times[i];
		if (i < 2)
			WORKS(put_by(h.session, "f", &st, "text", 4, &e), &e);
		else
			WORKS(OPS->set_metadata(
				  h.session, "f", &st, NULL, &r, &e),
			    &e);
		f = OPS->open_file(h.session, "f", 4, &e);
		if (!WORKS(f != NULL ? 0 : -1, &e))
			break;
		CLAIM(f->meta.has_atime);
		if (f->meta.atime_ns != times[i])
			remark("atime %lld is %lld there", (long long)times[i],
			    (long long)f->meta.atime_ns);
		CLAIM(store_same_time(OPS, f->meta.atime_ns, times[i]));
		OPS->close_file(f);
	}
	/* who knows none leaves it */
	st.has_atime = false;
	WORKS(OPS->set_metadata(h.session, "f", &st, NULL, &r, &e), &e);
	f = OPS->open_file(h.session, "f", 4, &e);
	if (WORKS(f != NULL ? 0 : -1, &e)) {
		if (!store_same_time(OPS, f->meta.atime_ns, 77 * SECOND))
			not_held("atime goes along with mtime");
		OPS->close_file(f);
	}
	end();
}

const struct conform_case attrs_cases[] = {
    CASE(attributes_and_acls_are_kept),
    CASE(an_open_file_tells_of_them),
    CASE(attributes_that_are_not_known_stay),
    CASE(big_attributes_are_kept_or_counted),
    CASE(a_file_in_parts_has_them_too),
    CASE(times_of_access_are_kept),
    {0},
};
