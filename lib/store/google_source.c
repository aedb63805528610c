/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* google_source.c - the files that hold Google's credentials. */
#include "store/google_source.h"

#include <unistd.h>

#include "base/fs.h"
#include "codec/json.h"
#include "http/http.h"

#define METADATA_HOST "metadata.google.internal"
#define METADATA_PATH "/computeMetadata/v1/instance/service-accounts/default/token"
enum { LIFETIME_S = 3600, LIFETIME_MAX_S = 43200 };

void google_source_free(struct google_source *source)
{
    if (!source)
        return;
    free(source->private_key);
    free(source->client_secret);
    free(source->refresh_token);
    free(source->path);
    free(source->token_url);
    free(source->impersonate_url);
    free(source->client_email);
    free(source->private_key_id);
    free(source->client_id);
    free(source->audience);
    free(source->subject_type);
    free(source->subject_file);
    free(source->subject_field);
    free(source);
}

/* ---- members ---- */

static int need(const struct json *node, const char *name, char **ret, struct err *err)
{
    const char *text;
    int r = json_need_string(node, name, &text, err);
    if (r == 0)
        *ret = mem_strdup(text);
    return r;
}

static char *want(const struct json *node, const char *name)
{
    const char *text;
    return node && json_need_string(node, name, &text, NULL) == 0 ? mem_strdup(text) : NULL;
}

/* Secrets go to these URLs, so they are encrypted, or stay on this machine. */
static int check_url(const char *name, const char *url, struct err *err)
{
    if (http_url_is_safe(url))
        return 0;
    return err_set(err, ERR_CONFIG,
                   "\"%s\" must begin with https:// (or name this machine), without a user or a "
                   "password in it",
                   name);
}

static int need_url(const struct json *node, const char *name, char **ret, struct err *err)
{
    int r = need(node, name, ret, err);
    return r == 0 ? check_url(name, *ret, err) : r;
}

static int want_url(const struct json *node, const char *name, const char *fallback, char **ret,
                    struct err *err)
{
    *ret = want(node, name);
    if (!*ret && fallback)
        *ret = mem_strdup(fallback);
    return *ret ? check_url(name, *ret, err) : 0;
}

/* ---- the kinds of files ---- */

static int parse_service_account(const struct json *root, struct google_source *source,
                                 struct err *err)
{
    source->kind = GOOGLE_SERVICE_ACCOUNT;
    source->private_key_id = want(root, "private_key_id");
    int r = need(root, "client_email", &source->client_email, err);
    if (r == 0)
        r = need(root, "private_key", &source->private_key, err);
    if (r == 0)
        r = want_url(root, "token_uri", "https://oauth2.googleapis.com/token", &source->token_url,
                     err);
    return r;
}

static int parse_user(const struct json *root, struct google_source *source, struct err *err)
{
    source->kind = GOOGLE_USER;
    int r = need(root, "client_id", &source->client_id, err);
    if (r == 0)
        r = need(root, "client_secret", &source->client_secret, err);
    if (r == 0)
        r = need(root, "refresh_token", &source->refresh_token, err);
    if (r == 0)
        r = want_url(root, "token_uri", "https://oauth2.googleapis.com/token", &source->token_url,
                     err);
    return r;
}

static int parse_subject(const struct json *root, struct google_source *source, struct err *err)
{
    const struct json *from = json_get(root, "credential_source");
    const struct json *format = json_get(from, "format");
    CLEANUP(mem_free_chars) char *type = want(format, "type");
    source->subject_file = want(from, "file");
    if (!source->subject_file)
        return err_set(err, ERR_CONFIG,
                       "its \"credential_source\" names no \"file\": hiwari reads subject tokens "
                       "from files only");
    if (type && strcmp(type, "json") == 0)
        return need(format, "subject_token_field_name", &source->subject_field, err);
    return 0;
}

static int parse_external(const struct json *root, struct google_source *source, struct err *err)
{
    int64_t lifetime_s = LIFETIME_S;
    const struct json *impersonation = json_get(root, "service_account_impersonation");
    source->kind = GOOGLE_EXTERNAL;
    if (impersonation)
        json_need_int(impersonation, "token_lifetime_seconds", &lifetime_s, NULL);
    lifetime_s = lifetime_s < 60 || lifetime_s > LIFETIME_MAX_S ? LIFETIME_S : lifetime_s;
    source->lifetime_s = (int)lifetime_s;
    int r = need(root, "audience", &source->audience, err);
    if (r == 0)
        r = need(root, "subject_token_type", &source->subject_type, err);
    if (r == 0)
        r = need_url(root, "token_url", &source->token_url, err);
    if (r == 0)
        r = want_url(root, "service_account_impersonation_url", NULL, &source->impersonate_url,
                     err);
    return r == 0 ? parse_subject(root, source, err) : r;
}

static int parse_root(const struct json *root, struct google_source *source, struct err *err)
{
    const char *type;
    int r = json_need_string(root, "type", &type, err);
    if (r < 0)
        return r;
    if (strcmp(type, "service_account") == 0)
        return parse_service_account(root, source, err);
    if (strcmp(type, "authorized_user") == 0)
        return parse_user(root, source, err);
    if (strcmp(type, "external_account") == 0)
        return parse_external(root, source, err);
    return err_set(err, ERR_CONFIG,
                   "it is of the type '%.50s'; hiwari knows service_account, authorized_user and "
                   "external_account",
                   type);
}

int google_source_parse(const char *path, const char *text, size_t len, struct google_source **ret,
                        struct err *err)
{
    CLEANUP(json_free) struct json *root = NULL;
    CLEANUP(google_source_free) struct google_source *source = MEM_NEW(struct google_source);
    source->path = mem_strdup(path);
    source->lifetime_s = LIFETIME_S;
    int r = json_parse("its text", text, len, &root, NULL);
    if (r < 0)
        r = err_set(err, ERR_CONFIG, "it is not JSON");
    if (r == 0)
        r = parse_root(root, source, err);
    if (r < 0) {
        if (err)
            err->code = ERR_CONFIG;
        err_prefix(err, "the credentials in %s cannot be used", path);
        return ERR_CONFIG;
    }
    *ret = source;
    source = NULL;
    return 0;
}

/* ---- finding one ---- */

static const char *from_environment(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static char *gcloud_path(void)
{
    static const char name[] = "application_default_credentials.json";
    const char *config = from_environment("CLOUDSDK_CONFIG");
    const char *home = from_environment("HOME");
    if (config)
        return fs_join(config, name);
    return home ? mem_printf("%s/.config/gcloud/%s", home, name) : NULL;
}

static bool is_googles_machine(void)
{
    CLEANUP(str_deinit) struct str product = {0};
    if (from_environment("GCE_METADATA_HOST") || from_environment("KUBERNETES_SERVICE_HOST"))
        return true;
    return fs_read("/sys/class/dmi/id/product_name", &product, NULL) == 0 && product.len > 0 &&
           str_starts(product.s, "Google");
}

static struct google_source *metadata(void)
{
    const char *host = from_environment("GCE_METADATA_HOST");
    struct google_source *source = MEM_NEW(struct google_source);
    host = host ? host : METADATA_HOST;
    source->kind = GOOGLE_METADATA;
    source->path = mem_printf("the metadata server %s", host);
    source->token_url = mem_printf("http://%s" METADATA_PATH, host);
    source->patient = is_googles_machine();
    return source;
}

static int read_file(const char *path, struct google_source **ret, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    int r = fs_read_small(path, &text, err);
    if (r < 0) {
        if (err)
            err->code = ERR_CONFIG;
        err_prefix(err, "the credentials");
        return ERR_CONFIG;
    }
    return google_source_parse(path, text.s ? text.s : "", text.len, ret, err);
}

int google_source_find(struct google_source **ret, struct err *err)
{
    const char *named = from_environment("GOOGLE_APPLICATION_CREDENTIALS");
    if (named)
        return read_file(named, ret, err);
    CLEANUP(mem_free_chars) char *path = gcloud_path();
    if (path && access(path, F_OK) == 0)
        return read_file(path, ret, err);
    *ret = metadata();
    return 0;
}
