/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "transfer/sftp/ssh2_error.h"
#include "transfer/sftp/ssh2_login.h"

#define LIBSSH2_WITH_RSA_SHA2 0x010b00

enum step {
	STEP_METHODS,
	STEP_PASSWORD,
	STEP_KEYBOARD,
	STEP_IDENTITY,
	STEP_AGENT,
	STEP_FILES,
	STEP_IN,
};

struct ssh2_login {
	const struct transport_target *target;
	LIBSSH2_SESSION *session;
	enum step step;
	LIBSSH2_AGENT *agent;
	struct libssh2_agent_publickey *agent_key;
	char user[256];
	char *methods; /* that the server takes */
	char secret[SECRET_MAX];
	unsigned file; /* of the default ones, that is tried */
	bool tried_any;
};

static int
failed(
    struct ssh2_login *l, enum err_kind kind, const char *what, struct err *e)
{
	return ssh2_failed(l->session, l->target->host, kind, what, e);
}

static int
name_user(struct ssh2_login *l, struct err *e)
{
	const char *user = l->target->user;
	struct passwd pw, *found = NULL;
	char text[4096];

	if (user == NULL || user[0] == '\0') {
		if (getpwuid_r(geteuid(), &pw, text, sizeof(text), &found) !=
			0 ||
		    found == NULL)
			return err_set(e, ERR_CONFIG,
			    "name the user: sftp://USER@%s/...",
			    l->target->host);
		user = pw.pw_name;
	}
	if ((size_t)snprintf(l->user, sizeof(l->user), "%s", user) >=
	    sizeof(l->user))
		return err_set(e, ERR_CONFIG, "the user's name is too long");
	return 0;
}

struct ssh2_login *
ssh2_login_new(const struct transport_target *target, struct err *e)
{
	struct ssh2_login *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->target = target;
	if (name_user(l, e) == -1) {
		ssh2_login_free(l);
		return NULL;
	}
	return l;
}

void
ssh2_login_free(struct ssh2_login *l)
{
	if (l == NULL)
		return;
	if (l->agent != NULL) {
		libssh2_agent_disconnect(l->agent);
		libssh2_agent_free(l->agent);
	}
	secret_wipe(l->secret, sizeof(l->secret));
	free(l->methods);
	free(l);
}

static bool
takes(const struct ssh2_login *l, const char *method)
{
	return l->methods != NULL && strstr(l->methods, method) != NULL;
}

/* Servers take RSA keys with rsa-sha2 only. */
static const char *
rsa_hint(char *out, size_t size)
{
	const char *version = libssh2_version(0);

	out[0] = '\0';
	if (libssh2_version(LIBSSH2_WITH_RSA_SHA2) == NULL)
		snprintf(out, size,
		    "; for an RSA key --sftp-transport openssh, as libssh2 "
		    "%.20s has no rsa-sha2",
		    version);
	return out;
}

static int
refused(struct ssh2_login *l, struct err *e)
{
	char hint[120];

	return err_set(e, ERR_DENIED,
	    "%s refused to let %s in%s: it takes %.100s. Name a key with "
	    "--sftp-identity, or a password with --sftp-password-file%s",
	    l->target->host, l->user,
	    l->tried_any ? "" : ", as there was no key to try",
	    l->methods != NULL ? l->methods : "nothing",
	    rsa_hint(hint, sizeof(hint)));
}

static int
do_methods(struct ssh2_login *l, struct err *e)
{
	const struct transport_target *t = l->target;
	char *list = libssh2_userauth_list(
	    l->session, l->user, (unsigned)strlen(l->user));

	if (list == NULL) {
		if (libssh2_userauth_authenticated(l->session)) {
			l->step = STEP_IN;
			return 1;
		}
		if (libssh2_session_last_errno(l->session) ==
		    LIBSSH2_ERROR_EAGAIN)
			return 0;
		return failed(l, ERR_NET, "log in", e);
	}
	l->methods = strdup(list);
	if (l->methods == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (t->password_file != NULL) {
		l->step = STEP_PASSWORD;
		return secret_read_path(t->password_file, l->secret, e) == -1
		    ? -1
		    : 1;
	}
	if (t->passphrase_file != NULL &&
	    secret_read_path(t->passphrase_file, l->secret, e) == -1)
		return -1;
	if (!takes(l, "publickey"))
		return refused(l, e);
	l->step = t->identity != NULL ? STEP_IDENTITY : STEP_AGENT;
	return 1;
}

/* What RC, of libssh2, says of the attempt to log in: 1, 0: wait, -1. */
static int
tried(struct ssh2_login *l, int rc, struct err *e)
{
	if (rc == LIBSSH2_ERROR_EAGAIN)
		return 0;
	if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED ||
	    rc == LIBSSH2_ERROR_PASSWORD_EXPIRED)
		return refused(l, e);
	if (rc != 0)
		return failed(l, ERR_NET, "log in", e);
	l->step = STEP_IN;
	return 1;
}

static int
do_password(struct ssh2_login *l, struct err *e)
{
	int rc;

	if (!takes(l, "password")) {
		l->step = STEP_KEYBOARD;
		return 1;
	}
	l->tried_any = true;
	rc = libssh2_userauth_password_ex(l->session, l->user,
	    (unsigned)strlen(l->user), l->secret, (unsigned)strlen(l->secret),
	    NULL);
	return tried(l, rc, e);
}

static void
answer(const char *name, int name_len, const char *instruction,
    int instruction_len, int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
    LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
	const struct ssh2_login *l = *abstract;
	int i;

	(void)name;
	(void)name_len;
	(void)instruction;
	(void)instruction_len;
	(void)prompts;
	for (i = 0; i < n; i++) {
		responses[i].text = strdup(l->secret);
		responses[i].length =
		    responses[i].text != NULL ? (unsigned)strlen(l->secret) : 0;
	}
}

static int
do_keyboard(struct ssh2_login *l, struct err *e)
{
	int rc;

	if (!takes(l, "keyboard-interactive"))
		return refused(l, e);
	l->tried_any = true;
	*libssh2_session_abstract(l->session) = l; /* for answer() */
	rc = libssh2_userauth_keyboard_interactive_ex(
	    l->session, l->user, (unsigned)strlen(l->user), answer);
	return tried(l, rc, e);
}

/* 1: in; 0: wait; 2: not with this one. */
static int
try_file(struct ssh2_login *l, const char *path, struct err *e)
{
	int rc = libssh2_userauth_publickey_fromfile_ex(l->session, l->user,
	    (unsigned)strlen(l->user), NULL, path, l->secret);

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return 0;
	l->tried_any = true;
	if (rc == 0) {
		l->step = STEP_IN;
		return 1;
	}
	if (rc == LIBSSH2_ERROR_SOCKET_DISCONNECT ||
	    rc == LIBSSH2_ERROR_SOCKET_SEND || rc == LIBSSH2_ERROR_SOCKET_RECV)
		return failed(l, ERR_NET, "log in", e);
	return 2;
}

static int
do_identity(struct ssh2_login *l, struct err *e)
{
	const char *path = l->target->identity;
	char hint[120];
	int rc;

	if (access(path, R_OK) == -1) {
		err_sys(e, "%s", path);
		e->kind = ERR_CONFIG;
		return -1;
	}
	rc = try_file(l, path, e);
	if (rc != 2)
		return rc;
	if (libssh2_session_last_errno(l->session) == LIBSSH2_ERROR_FILE)
		return failed(l, ERR_CONFIG,
		    "the private key can't be read (is it encrypted? "
		    "--sftp-passphrase-file)",
		    e);
	failed(l, ERR_DENIED, path, e);
	return err_context(
	    e, "the key was refused%s", rsa_hint(hint, sizeof(hint)));
}

static int
do_agent(struct ssh2_login *l, struct err *e)
{
	struct libssh2_agent_publickey *next;
	int rc;

	if (l->agent == NULL) {
		l->agent = libssh2_agent_init(l->session);
		if (l->agent == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		if (getenv("SSH_AUTH_SOCK") == NULL ||
		    libssh2_agent_connect(l->agent) != 0 ||
		    libssh2_agent_list_identities(l->agent) != 0) {
			l->step = STEP_FILES;
			return 1;
		}
	}
	for (;;) {
		if (l->agent_key == NULL) {
			if (libssh2_agent_get_identity(
				l->agent, &l->agent_key, NULL) != 0)
				break;
		}
		rc = libssh2_agent_userauth(l->agent, l->user, l->agent_key);
		if (rc == LIBSSH2_ERROR_EAGAIN)
			return 0;
		l->tried_any = true;
		if (rc == 0) {
			l->step = STEP_IN;
			return 1;
		}
		if (libssh2_agent_get_identity(l->agent, &next, l->agent_key) !=
		    0)
			break;
		l->agent_key = next;
	}
	l->step = STEP_FILES;
	return 1;
}

static int
do_files(struct ssh2_login *l, struct err *e)
{
	static const char *const names[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
	const char *home = getenv("HOME");
	char path[PATH_MAX];
	int rc;

	for (; l->file < sizeof(names) / sizeof(*names); l->file++) {
		if (home == NULL ||
		    snprintf(path, sizeof(path), "%s/.ssh/%s", home,
			names[l->file]) >= (int)sizeof(path) ||
		    access(path, R_OK) == -1)
			continue;
		rc = try_file(l, path, e);
		if (rc != 2)
			return rc;
	}
	return refused(l, e);
}

int
ssh2_login_go(struct ssh2_login *l, LIBSSH2_SESSION *session, struct err *e)
{
	static int (*const steps[])(struct ssh2_login *, struct err *) = {
	    [STEP_METHODS] = do_methods,
	    [STEP_PASSWORD] = do_password,
	    [STEP_KEYBOARD] = do_keyboard,
	    [STEP_IDENTITY] = do_identity,
	    [STEP_AGENT] = do_agent,
	    [STEP_FILES] = do_files,
	};
	int rc = 1;

	l->session = session;
	while (l->step != STEP_IN && rc == 1)
		rc = steps[l->step](l, e);
	return rc;
}
