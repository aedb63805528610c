/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* notice.c - see notice.h.
 *
 * Settling is told under a lock that bears the epoch. It is held for half a minute while the
 * message is sent, and for a month once it was: that is how Redis remembers. A teller that dies in
 * between leaves the word to whoever looks half a minute later: another worker, or a reconcile from
 * cron. */
#include "batch/notice.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/retry.h"
#include "batch/batch_file.h"
#include "notify/webhook.h"

enum {
    KEYS_NAMED = 5,
    ERROR_BYTES = 300,
    TELLING_MS = 30000,
    TOLD_MS = 2147483647, /* 24 days: longer than a settled batch is kept */
};

/* ---- texts ---- */

static const char *many(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void add_failures(const struct queue_status *s, struct str *out)
{
    for (int i = 0; i < s->n_failures && i < KEYS_NAMED; i++) {
        const struct queue_failure *f = &s->failures[i];
        str_addf(out, "\n• %s (%s, %d attempt%s): ", f->key, f->class, f->attempts,
                 many(f->attempts));
        webhook_quote(f->error, ERROR_BYTES, out);
    }
    if (s->failed > KEYS_NAMED)
        str_addf(out, "\n… and %" PRId64 " more", s->failed - KEYS_NAMED);
}

void notice_failed_text(const char *batch, const struct queue_status *status, int64_t failed_new,
                        struct str *out)
{
    str_addf(out, "hiwari: batch *%s*: ", batch);
    if (failed_new < status->failed)
        str_addf(out, "%" PRId64 " more key%s failed, %" PRId64 " of %" PRId64 " by now",
                 failed_new, failed_new == 1 ? " has" : "s have", status->failed, status->total);
    else
        str_addf(out, "%" PRId64 " of %" PRId64 " keys %s failed", status->failed, status->total,
                 status->failed == 1 ? "has" : "have");
    add_failures(status, out);
    str_addf(out, "\n`hiwari status %s` shows more, `hiwari retry %s --all` tries them again",
             batch, batch);
}

void notice_settled_text(const char *batch, const char *dest, const struct queue_status *status,
                         struct str *out)
{
    str_addf(out, "hiwari: batch *%s* has settled (epoch %" PRId64 "): ", batch, status->epoch);
    if (status->failed == 0)
        str_addf(out, "all %" PRId64 " key%s done, results are in ", status->total,
                 status->total == 1 ? " is" : "s are");
    else
        str_addf(out, "%" PRId64 " key%s done, %" PRId64 " ha%s failed; results are in ",
                 status->done, status->done == 1 ? " is" : "s are", status->failed,
                 status->failed == 1 ? "s" : "ve");
    webhook_quote(dest, ERROR_BYTES, out);
    if (status->failed == 0)
        return;
    add_failures(status, out);
    str_addf(out, "\n`hiwari retry %s --all` tries them again", batch);
}

void notice_stranded_text(const char *batch, const struct queue_status *status, struct str *out)
{
    int64_t waiting = status->pending + status->delayed + status->leased;
    str_addf(out,
             "hiwari: batch *%s*: %" PRId64
             " key%s and no worker was seen for two minutes. Start workers where the snapshot is: "
             "`hiwari-worker --batch %s --snapshot DIR`",
             batch, waiting, waiting == 1 ? " waits" : "s wait", batch);
}

/* ---- occasions ---- */

static void new_token(char token[17])
{
    snprintf(token, 17, "%016" PRIx64, random_u64());
}

int notice_failed(struct queue *queue, struct str *out, int64_t *ret_wait_ms, struct err *err)
{
    struct queue_news news = {0};
    struct queue_status status = {0};
    int r = queue_news(queue, NOTICE_EVERY_MS, &news, err);
    *ret_wait_ms = news.wait_ms;
    if (r != 0 || news.failed_new == 0)
        return r;
    *ret_wait_ms = NOTICE_EVERY_MS;
    r = queue_status(queue, &status, err);
    if (r == 0)
        notice_failed_text(queue_batch(queue), &status, news.failed_new, out);
    queue_status_free(&status);
    return r == 0 ? NOTICE_SAY : r;
}

static char *batch_dest(struct queue *queue)
{
    CLEANUP(mem_free_chars) char *text = NULL;
    CLEANUP(batch_file_free) struct batch_file *file = NULL;
    if (queue_batch_json(queue, &text, NULL) != 0 ||
        batch_file_parse(BATCH_FILE, text, strlen(text), &file, NULL) != 0)
        return mem_strdup("its destination");
    return mem_strdup(file->dest);
}

static int send(const char *url, const struct str *text, struct err *err)
{
    int r = webhook_send(url, text->s, clock_ms() + NOTICE_SEND_MS, err);
    return r < 0 ? err_prefix(err, "the webhook does not take messages") : 0;
}

static int tell_settled(struct queue *queue, const char *url, const char *what, struct err *err)
{
    CLEANUP(str_deinit) struct str text = {0};
    CLEANUP(mem_free_chars) char *dest = batch_dest(queue);
    struct queue_status status = {0};
    char token[17];
    new_token(token);
    int r = queue_lock(queue, what, token, TELLING_MS, err);
    fault_point("notice-locked");
    if (r == 0)
        r = queue_status(queue, &status, err);
    if (r == 0) {
        notice_settled_text(queue_batch(queue), dest, &status, &text);
        r = send(url, &text, err);
    }
    queue_status_free(&status);
    return r == 0 ? queue_lock(queue, what, token, TOLD_MS, err) : r;
}

int notice_settled(struct queue *queue, struct err *err)
{
    CLEANUP(queue_notify_deinit) struct queue_notify notify = {0};
    char what[48];
    int r = queue_notify_get(queue, &notify, err);
    if (r != 0 || !notify.url || !notify.settled)
        return r;
    fault_point("notice-settled");
    snprintf(what, sizeof(what), "settled-%" PRId64, notify.epoch);
    r = tell_settled(queue, notify.url, what, err);
    return r < 0 ? r : 0;
}

int notice_stranded(struct queue *queue, struct err *err)
{
    CLEANUP(queue_notify_deinit) struct queue_notify notify = {0};
    CLEANUP(str_deinit) struct str text = {0};
    struct queue_status status = {0};
    char token[17];
    new_token(token);
    int r = queue_notify_get(queue, &notify, err);
    if (r != 0 || !notify.url)
        return r;
    r = queue_lock(queue, "stranded", token, NOTICE_STRANDED_MS, err);
    if (r == 0)
        r = queue_status(queue, &status, err);
    if (r != 0)
        return r < 0 ? r : 0;
    notice_stranded_text(queue_batch(queue), &status, &text);
    queue_status_free(&status);
    r = send(notify.url, &text, err);
    if (r < 0)
        queue_unlock(queue, "stranded", token, NULL);
    return r;
}
