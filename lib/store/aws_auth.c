/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* aws_auth.c - the environment and two ini files. */
#include "store/aws_auth.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"

static const char *from_environment(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

void aws_auth_deinit(struct aws_auth *auth)
{
    free(auth->key_id);
    free(auth->secret);
    free(auth->session);
    free(auth->region);
    *auth = (struct aws_auth){0};
}

const char *aws_endpoint(void)
{
    const char *s3 = from_environment("AWS_ENDPOINT_URL_S3");
    return s3 ? s3 : from_environment("AWS_ENDPOINT_URL");
}

/* ---- ini files ---- */

struct span {
    const char *s;
    size_t len;
};

static struct span trim(struct span text)
{
    static const char blanks[] = " \t\r";
    while (text.len > 0 && memchr(blanks, text.s[0], 3)) {
        text.s++;
        text.len--;
    }
    while (text.len > 0 && memchr(blanks, text.s[text.len - 1], 3))
        text.len--;
    return text;
}

static bool is_text(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.s, text, span.len) == 0;
}

/* [name], or [profile name] as the config file has it. */
static bool is_section(struct span line, const char *section)
{
    static const char profile[] = "profile";
    if (line.len < 2 || line.s[line.len - 1] != ']')
        return false;
    struct span name = trim((struct span){line.s + 1, line.len - 2});
    const size_t skip = sizeof(profile) - 1;
    if (name.len > skip && memcmp(name.s, profile, skip) == 0 && strchr(" \t", name.s[skip]))
        name = trim((struct span){name.s + skip, name.len - skip});
    return is_text(name, section);
}

bool aws_ini_value(const char *text, size_t len, const char *section, const char *name,
                   struct str *ret)
{
    bool inside = false;
    for (const char *p = text, *end = text + len; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        struct span line = trim((struct span){p, (size_t)(stop - p)});
        p = stop + (stop < end);
        if (line.len > 0 && line.s[0] == '[') {
            inside = is_section(line, section);
            continue;
        }
        const char *equals = line.len ? memchr(line.s, '=', line.len) : NULL;
        if (!inside || !equals || line.s[0] == '#' || line.s[0] == ';' ||
            !is_text(trim((struct span){line.s, (size_t)(equals - line.s)}), name))
            continue;
        struct span value =
            trim((struct span){equals + 1, (size_t)(line.s + line.len - equals - 1)});
        str_clear(ret);
        str_add(ret, value.s, value.len);
        return value.len > 0;
    }
    return false;
}

/* ---- where they are ---- */

static char *shared_file(const char *variable, const char *name)
{
    const char *path = from_environment(variable), *home = from_environment("HOME");
    if (path)
        return mem_strdup(path);
    return home ? mem_printf("%s/.aws/%s", home, name) : NULL;
}

static char *take(const struct str *file, const char *profile, const char *name)
{
    struct str value = {0};
    if (file->s && aws_ini_value(file->s, file->len, profile, name, &value))
        return str_take(&value);
    str_deinit(&value);
    return NULL;
}

static void take_keys(const struct str *file, const char *profile, struct aws_auth *auth)
{
    if (auth->key_id)
        return;
    auth->key_id = take(file, profile, "aws_access_key_id");
    auth->secret = take(file, profile, "aws_secret_access_key");
    auth->session = take(file, profile, "aws_session_token");
    if (!auth->key_id || !auth->secret)
        aws_auth_deinit(auth);
}

static void take_environment(struct aws_auth *auth)
{
    const char *key_id = from_environment("AWS_ACCESS_KEY_ID");
    const char *secret = from_environment("AWS_SECRET_ACCESS_KEY");
    const char *session = from_environment("AWS_SESSION_TOKEN");
    if (!key_id || !secret)
        return;
    auth->key_id = mem_strdup(key_id);
    auth->secret = mem_strdup(secret);
    auth->session = session ? mem_strdup(session) : NULL;
}

static char *find_region(const struct str *config, const char *profile)
{
    const char *region = from_environment("AWS_REGION");
    region = region ? region : from_environment("AWS_DEFAULT_REGION");
    if (region)
        return mem_strdup(region);
    char *there = take(config, profile, "region");
    return there ? there : mem_strdup("us-east-1");
}

/* They become parts of header lines and of URLs. */
static bool is_plain(const char *text)
{
    for (const char *p = text; p && *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return true;
}

/* One of the two files. */
struct shared {
    char *path;
    struct str text;
    bool there;     /* whether or not it could be read */
    struct err why; /* why it could not */
};

static void shared_deinit(struct shared *file)
{
    free(file->path);
    str_deinit(&file->text);
}
MEM_CLEANUP_VALUE(shared_deinit, struct shared);

static void read_shared(struct shared *file)
{
    file->there = file->path && access(file->path, F_OK) == 0;
    if (file->there)
        fs_read_small(file->path, &file->text, &file->why);
}

/* What the environment lacks. */
static const char *environment_lacks(void)
{
    bool key_id = from_environment("AWS_ACCESS_KEY_ID");
    bool secret = from_environment("AWS_SECRET_ACCESS_KEY");
    return key_id   ? "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"
           : secret ? "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"
                    : "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set";
}

static int no_keys(const struct shared *keys, const struct shared *config, const char *profile,
                   struct err *err)
{
    const char *path = keys->path ? keys->path : "~/.aws/credentials";
    CLEANUP(str_deinit) struct str words = {0};
    if (!keys->there)
        str_addf(&words, "for the profile %s there is no file %s", profile, path);
    else if (keys->why.text[0])
        str_addz(&words, keys->why.text);
    else
        str_addf(&words, "the profile %s in %s has not both of them", profile, path);
    if (config->why.text[0])
        str_addf(&words, "; %s", config->why.text);
    return err_set(err, ERR_CONFIG,
                   "no keys for S3: %s, and %s. Set both variables, or write aws_access_key_id and "
                   "aws_secret_access_key into that file",
                   environment_lacks(), words.s);
}

int aws_auth_find(struct aws_auth *ret, struct err *err)
{
    CLEANUP(shared_deinit)
    struct shared keys = {.path = shared_file("AWS_SHARED_CREDENTIALS_FILE", "credentials")};
    CLEANUP(shared_deinit)
    struct shared config = {.path = shared_file("AWS_CONFIG_FILE", "config")};
    const char *profile = from_environment("AWS_PROFILE");
    struct aws_auth auth = {0};
    profile = profile ? profile : "default";
    read_shared(&keys);
    read_shared(&config);
    take_environment(&auth);
    take_keys(&keys.text, profile, &auth);
    take_keys(&config.text, profile, &auth);
    if (!auth.key_id)
        return no_keys(&keys, &config, profile, err);
    auth.region = find_region(&config.text, profile);
    if (is_plain(auth.key_id) && is_plain(auth.secret) && is_plain(auth.session) &&
        is_plain(auth.region)) {
        *ret = auth;
        return 0;
    }
    aws_auth_deinit(&auth);
    return err_set(err, ERR_CONFIG,
                   "the keys or the region for S3 hold characters that these never have (profile "
                   "%s)",
                   profile);
}
