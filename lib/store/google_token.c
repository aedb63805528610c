/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* google_token.c - the exchanges by which Google gives out access tokens.
 *
 *   service account   a statement signed with its key (RFC 7523) for a token
 *   user              the refresh token for a token
 *   external          the token in a file for one of Google's (RFC 8693)
 *   metadata          the machine's server is asked; it may not be up yet when a pod starts
 *
 * and where a service account is to be impersonated, that token for one of the account's. */
#include "store/google_token.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "codec/json.h"
#include "store/jwt.h"

#define SCOPE_STORAGE "https://www.googleapis.com/auth/devstorage.read_write"
#define SCOPE_CLOUD "https://www.googleapis.com/auth/cloud-platform"
enum {
    PATIENCE_MS = 30000,
    IMPATIENT_MS = 3000, /* a machine that is none of Google's has no metadata server */
    METADATA_WAIT_MS = 500,
    STATEMENT_S = 3600,
    TOKEN_MAX_S = 86400,
    SKEW_S = 60, /* a difference of clocks that is worth a word */
};

/* ---- answers ---- */

void google_words(const struct http_answer *answer, struct str *out)
{
    CLEANUP(json_free) struct json *root = NULL;
    const char *message = NULL, *code = NULL;
    if (answer->body.len > 0 &&
        json_parse("answer", answer->body.s, answer->body.len, &root, NULL) == 0) {
        const struct json *error = json_get(root, "error");
        if (error && json_type(error) == JSON_OBJECT)
            json_need_string(error, "message", &message, NULL);
        else if (json_need_string(root, "error", &code, NULL) == 0 &&
                 json_need_string(root, "error_description", &message, NULL) < 0)
            message = "";
    }
    if (!message || (!*message && !code)) {
        http_words(answer, out);
        return;
    }
    str_addf(out, "HTTP %d: ", answer->status);
    if (code)
        http_quote(code, strlen(code), 60, out);
    if (code && *message)
        str_addz(out, ": ");
    http_quote(message, strlen(message), 300, out);
}

/* A token goes into a header line. */
static bool is_token(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len <= 16384;
}

bool google_token_parse(const char *text, size_t len, int64_t now_ms, struct google_token *ret)
{
    CLEANUP(json_free) struct json *root = NULL;
    const char *token;
    int64_t seconds = STATEMENT_S;
    if (json_parse("answer", text, len, &root, NULL) < 0 ||
        json_need_string(root, "access_token", &token, NULL) < 0 || !is_token(token))
        return false;
    json_need_int(root, "expires_in", &seconds, NULL);
    if (seconds < 1)
        return false;
    seconds = seconds > TOKEN_MAX_S ? TOKEN_MAX_S : seconds;
    ret->text = mem_strdup(token);
    ret->expires_ms = now_ms + seconds * 1000;
    return true;
}

bool google_token_parse_impersonated(const char *text, size_t len, int64_t now_ms, int64_t wall_ms,
                                     struct google_token *ret)
{
    CLEANUP(json_free) struct json *root = NULL;
    const char *token, *expires;
    struct tm tm = {0};
    if (json_parse("answer", text, len, &root, NULL) < 0 ||
        json_need_string(root, "accessToken", &token, NULL) < 0 || !is_token(token) ||
        json_need_string(root, "expireTime", &expires, NULL) < 0 ||
        !strptime(expires, "%Y-%m-%dT%H:%M:%S", &tm))
        return false;
    int64_t left_s = (int64_t)timegm(&tm) - wall_ms / 1000;
    if (left_s < 1)
        return false;
    left_s = left_s > TOKEN_MAX_S ? TOKEN_MAX_S : left_s;
    ret->text = mem_strdup(token);
    ret->expires_ms = now_ms + left_s * 1000;
    return true;
}

/* ---- asking ---- */

static int refused(const struct google_source *source, const struct http_request *request,
                   const struct http_answer *answer, struct err *err)
{
    int64_t ahead_s;
    http_err(err, ERR_CONFIG, request, answer);
    if (err && http_clock_ahead(answer, &ahead_s) && (ahead_s > SKEW_S || ahead_s < -SKEW_S)) {
        struct err before = *err;
        err_set(err, ERR_CONFIG, "%s (this machine's clock is %lld s %s the server's)", before.text,
                (long long)(ahead_s < 0 ? -ahead_s : ahead_s), ahead_s < 0 ? "behind" : "ahead of");
    }
    err_prefix(err, "the credentials in %s were refused", source->path);
    return ERR_CONFIG;
}

static void add_form(struct str *form, const char *name, const char *value)
{
    str_addf(form, "%s%s=", form->len ? "&" : "", name);
    http_escape(value, "", form);
}

/* proof: what the server is shown in the body, and no message may show. */
static int ask(struct http *http, const struct google_source *source, const char *url,
               const char *const *headers, const struct str *body, const char *proof,
               struct http_answer *answer, struct err *err)
{
    const char *const secrets[] = {proof, source->client_secret ? source->client_secret : "", NULL};
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .headers = headers,
                                   .body = body->s,
                                   .body_len = body->len,
                                   .deadline_ms = clock_ms() + PATIENCE_MS,
                                   .words = google_words,
                                   .secrets = secrets};
    int r = http_call(http, &request, answer, err);
    if (r < 0) {
        err_prefix(err, "no token for the credentials in %s", source->path);
        return r == ERR_CONFIG ? r : err_set(err, ERR_UNREACHABLE, "%s", err ? err->text : "");
    }
    return answer->status == 200 ? 0 : refused(source, &request, answer, err);
}

static int ask_form(struct http *http, const struct google_source *source, const struct str *form,
                    const char *proof, struct google_token *ret, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    int64_t asked_ms = clock_ms();
    int r = ask(http, source, source->token_url, headers, form, proof, &answer, err);
    if (r < 0)
        return r;
    if (!google_token_parse(answer.body.s ? answer.body.s : "", answer.body.len, asked_ms, ret))
        return err_set(err, ERR_UNREACHABLE,
                       "no token for the credentials in %s: the answer holds none", source->path);
    return 0;
}

/* ---- by kind ---- */

static int state(const struct google_source *source, struct str *ret, struct err *err)
{
    CLEANUP(json_free) struct json *header = json_new_object();
    CLEANUP(json_free) struct json *claims = json_new_object();
    CLEANUP(str_deinit) struct str header_text = {0};
    CLEANUP(str_deinit) struct str claims_text = {0};
    int64_t now_s = clock_wall_ms() / 1000;
    json_add_string(header, "alg", "RS256");
    json_add_string(header, "typ", "JWT");
    if (source->private_key_id)
        json_add_string(header, "kid", source->private_key_id);
    json_add_string(claims, "iss", source->client_email);
    json_add_string(claims, "scope", SCOPE_STORAGE);
    json_add_string(claims, "aud", source->token_url);
    json_add_int(claims, "iat", now_s);
    json_add_int(claims, "exp", now_s + STATEMENT_S);
    json_print(header, false, &header_text);
    json_print(claims, false, &claims_text);
    int r = jwt_sign(&header_text, &claims_text, source->private_key, ret, err);
    if (r < 0)
        err_prefix(err, "the credentials in %s cannot be used", source->path);
    return r;
}

static int fetch_service_account(struct http *http, const struct google_source *source,
                                 struct google_token *ret, struct err *err)
{
    CLEANUP(str_deinit) struct str statement = {0};
    CLEANUP(str_deinit) struct str form = {0};
    int r = state(source, &statement, err);
    if (r < 0)
        return r;
    add_form(&form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    add_form(&form, "assertion", statement.s);
    return ask_form(http, source, &form, statement.s, ret, err);
}

static int fetch_user(struct http *http, const struct google_source *source,
                      struct google_token *ret, struct err *err)
{
    CLEANUP(str_deinit) struct str form = {0};
    add_form(&form, "grant_type", "refresh_token");
    add_form(&form, "client_id", source->client_id);
    add_form(&form, "client_secret", source->client_secret);
    add_form(&form, "refresh_token", source->refresh_token);
    return ask_form(http, source, &form, source->refresh_token, ret, err);
}

/* The subject token, read anew each time: whoever issues it replaces it. */
static int read_subject(const struct google_source *source, struct str *ret, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(json_free) struct json *root = NULL;
    const char *token = NULL;
    int r = fs_read_small(source->subject_file, &text, err);
    if (r < 0) {
        err_prefix(err, "the credentials in %s", source->path);
        return err_set(err, ERR_CONFIG, "%s", err ? err->text : "");
    }
    if (!source->subject_field)
        token = text.s;
    else if (json_parse("token", text.s ? text.s : "", text.len, &root, NULL) == 0)
        json_need_string(root, source->subject_field, &token, NULL);
    size_t len = token ? strcspn(token, " \t\r\n") : 0;
    if (len == 0)
        return err_set(err, ERR_CONFIG, "the credentials in %s: there is no token in %s",
                       source->path, source->subject_file);
    str_add(ret, token, len);
    return 0;
}

static int fetch_external(struct http *http, const struct google_source *source,
                          struct google_token *ret, struct err *err)
{
    CLEANUP(str_deinit) struct str subject = {0};
    CLEANUP(str_deinit) struct str form = {0};
    int r = read_subject(source, &subject, err);
    if (r < 0)
        return r;
    add_form(&form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    add_form(&form, "audience", source->audience);
    add_form(&form, "scope", source->impersonate_url ? SCOPE_CLOUD : SCOPE_STORAGE);
    add_form(&form, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
    add_form(&form, "subject_token", subject.s);
    add_form(&form, "subject_token_type", source->subject_type);
    return ask_form(http, source, &form, subject.s, ret, err);
}

/* Asked again whatever it answers: at the start of a pod it may be absent, or not know us yet. */
static int fetch_metadata(struct http *http, const struct google_source *source,
                          struct google_token *ret, struct err *err)
{
    static const char *const headers[] = {"Metadata-Flavor: Google", NULL};
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    int64_t now = clock_ms(), until_ms = now + (source->patient ? PATIENCE_MS : IMPATIENT_MS);
    struct http_request request = {.url = source->token_url,
                                   .headers = headers,
                                   .deadline_ms = until_ms,
                                   .stall_ms = IMPATIENT_MS,
                                   .words = google_words,
                                   .direct = true};
    for (;; now = clock_ms()) {
        int r = http_send(http, &request, &answer, err);
        if (r == 0 && answer.status == 200 && http_header(&answer, "metadata-flavor", NULL) &&
            google_token_parse(answer.body.s ? answer.body.s : "", answer.body.len, now, ret))
            return 0;
        if (r == 0)
            http_err(err, ERR_UNREACHABLE, &request, &answer);
        if (!source->patient || clock_ms() + METADATA_WAIT_MS >= until_ms ||
            !http_wait(http, METADATA_WAIT_MS))
            break;
    }
    err_prefix(err,
               "no credentials: neither GOOGLE_APPLICATION_CREDENTIALS nor `gcloud auth "
               "application-default login` has left any, and %s gave none",
               source->path);
    return err_set(err, source->patient ? ERR_UNREACHABLE : ERR_CONFIG, "%s", err ? err->text : "");
}

static int impersonate(struct http *http, const struct google_source *source,
                       struct google_token *token, struct err *err)
{
    CLEANUP(http_answer_deinit) struct http_answer answer = {0};
    CLEANUP(mem_free_chars) char *line = mem_printf("Authorization: Bearer %s", token->text);
    CLEANUP(str_deinit) struct str body = {0};
    const char *const headers[] = {"Content-Type: application/json", line, NULL};
    struct google_token theirs = {0};
    str_addf(&body, "{\"scope\":[\"" SCOPE_STORAGE "\"],\"lifetime\":\"%ds\"}", source->lifetime_s);
    int r = ask(http, source, source->impersonate_url, headers, &body, token->text, &answer, err);
    if (r < 0)
        return r;
    if (!google_token_parse_impersonated(answer.body.s ? answer.body.s : "", answer.body.len,
                                         clock_ms(), clock_wall_ms(), &theirs))
        return err_set(err, ERR_UNREACHABLE,
                       "no token for the credentials in %s: the answer holds none", source->path);
    free(token->text);
    *token = theirs;
    return 0;
}

int google_token_fetch(struct http *http, const struct google_source *source,
                       struct google_token *ret, struct err *err)
{
    static int (*const fetch[])(struct http *, const struct google_source *, struct google_token *,
                                struct err *) = {
        [GOOGLE_SERVICE_ACCOUNT] = fetch_service_account,
        [GOOGLE_USER] = fetch_user,
        [GOOGLE_EXTERNAL] = fetch_external,
        [GOOGLE_METADATA] = fetch_metadata,
    };
    struct google_token token = {0};
    int r = fetch[source->kind](http, source, &token, err);
    if (r == 0 && source->impersonate_url)
        r = impersonate(http, source, &token, err);
    if (r < 0) {
        free(token.text);
        return r;
    }
    *ret = token;
    return 0;
}
