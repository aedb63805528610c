/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* s3_xml.c - expat with a path of element names.
 *
 * Document types are refused: S3 sends none, and entities are how XML documents attack. */
#include "store/s3_xml.h"

#include <expat.h>

enum { DEPTH_MAX = 32, TEXT_MAX = 64 << 10 };

struct reader {
    XML_Parser parser;
    int depth;
    char names[4][40]; /* of the outermost elements */
    struct str text;   /* of the element that is open */
    bool refused;      /* too deep, too long, or with a document type */

    /* a listing */
    s3_object_fn *fn;
    void *ctx;
    struct s3_page *page;
    struct str key, etag, bytes;
    bool truncated, is_listing;
    int result;
    struct err *err;

    /* an error */
    struct str *code, *message;
};

static bool is_at(const struct reader *reader, int depth, const char *outer, const char *name)
{
    return reader->depth == depth && strcmp(reader->names[0], outer) == 0 &&
           strcmp(reader->names[depth - 1], name) == 0;
}

static void stop(struct reader *reader, bool refused)
{
    reader->refused |= refused;
    XML_StopParser(reader->parser, XML_FALSE);
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_subset)
{
    stop(ctx, true);
}

static void XMLCALL on_begin(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *reader = ctx;
    if (reader->depth >= DEPTH_MAX) {
        stop(reader, true);
        return;
    }
    if (reader->depth < 4) {
        size_t len = strlen(name);
        len = len < sizeof(reader->names[0]) - 1 ? len : sizeof(reader->names[0]) - 1;
        memcpy(reader->names[reader->depth], name, len);
        reader->names[reader->depth][len] = '\0';
    }
    reader->depth++;
    str_clear(&reader->text);
    reader->is_listing |= is_at(reader, 1, "ListBucketResult", "ListBucketResult");
    if (is_at(reader, 2, "ListBucketResult", "Contents")) {
        str_clear(&reader->key);
        str_clear(&reader->etag);
        str_clear(&reader->bytes);
    }
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int len)
{
    struct reader *reader = ctx;
    if (reader->text.len + (size_t)len > TEXT_MAX)
        stop(reader, true);
    else
        str_add(&reader->text, text, (size_t)len);
}

static void keep(struct reader *reader, struct str *in)
{
    str_clear(in);
    str_add(in, reader->text.s ? reader->text.s : "", reader->text.len);
}

static void end_object(struct reader *reader)
{
    int64_t bytes;
    if (reader->key.len == 0 || reader->etag.len == 0 || reader->bytes.len == 0 ||
        !str_to_i64(reader->bytes.s, &bytes) || bytes < 0) {
        stop(reader, true);
        return;
    }
    reader->result = reader->fn(reader->ctx, reader->key.s, reader->etag.s, bytes, reader->err);
    if (reader->result != 0)
        stop(reader, false);
}

static void end_listing_element(struct reader *reader)
{
    static const char list[] = "ListBucketResult";
    bool inside = reader->depth == 3 && strcmp(reader->names[1], "Contents") == 0;
    if (inside && is_at(reader, 3, list, "Key"))
        keep(reader, &reader->key);
    else if (inside && is_at(reader, 3, list, "ETag"))
        keep(reader, &reader->etag);
    else if (inside && is_at(reader, 3, list, "Size"))
        keep(reader, &reader->bytes);
    else if (is_at(reader, 2, list, "Contents"))
        end_object(reader);
    else if (is_at(reader, 2, list, "IsTruncated"))
        reader->truncated = reader->text.len > 0 && strcmp(reader->text.s, "true") == 0;
    else if (is_at(reader, 2, list, "NextContinuationToken"))
        keep(reader, &reader->page->next);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    struct reader *reader = ctx;
    if (reader->fn)
        end_listing_element(reader);
    else if (is_at(reader, 2, "Error", "Code"))
        keep(reader, reader->code);
    else if (is_at(reader, 2, "Error", "Message"))
        keep(reader, reader->message);
    reader->depth--;
    str_clear(&reader->text);
}

/* True when the text is whole and well-formed. */
static bool read_all(struct reader *reader, const char *text, size_t len)
{
    reader->parser = XML_ParserCreate(NULL);
    if (!reader->parser)
        mem_exhausted();
    XML_SetUserData(reader->parser, reader);
    XML_SetElementHandler(reader->parser, on_begin, on_end);
    XML_SetCharacterDataHandler(reader->parser, on_text);
    XML_SetStartDoctypeDeclHandler(reader->parser, on_doctype);
    enum { PIECE = 1 << 20 };
    bool good = true;
    for (size_t at = 0; good && at <= len; at += PIECE) {
        size_t n = len - at < PIECE ? len - at : PIECE;
        good = XML_Parse(reader->parser, text + at, (int)n, at + n == len) == XML_STATUS_OK;
        if (at + n == len)
            break;
    }
    XML_ParserFree(reader->parser);
    str_deinit(&reader->text);
    str_deinit(&reader->key);
    str_deinit(&reader->etag);
    str_deinit(&reader->bytes);
    return good && !reader->refused;
}

int s3_parse_page(const char *text, size_t len, s3_object_fn *fn, void *ctx, struct s3_page *ret,
                  struct err *err)
{
    struct reader reader = {.fn = fn, .ctx = ctx, .page = ret, .err = err};
    str_clear(&ret->next);
    bool good = read_all(&reader, text, len);
    if (reader.result != 0)
        return reader.result;
    if (!good || !reader.is_listing || (reader.truncated && ret->next.len == 0))
        return err_set(err, ERR_RETRY, "the answer is no listing");
    if (!reader.truncated)
        str_clear(&ret->next);
    return 0;
}

bool s3_parse_error(const char *text, size_t len, struct str *ret_code, struct str *ret_message)
{
    struct reader reader = {.code = ret_code, .message = ret_message};
    return read_all(&reader, text, len) && ret_code->len > 0;
}
