# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""s3_server.py - a small S3 that honours conditional writes, ignores them, or answers 501; and can misbehave like
gcs_server. Signatures are not checked here (swift_server does that), only that there is one, and the body's hash.

Steps: put, get, head, delete, list.
"""
import contextlib
import hashlib
import re
import urllib.parse
from xml.sax.saxutils import escape

import gcs_server
from gcs_server import Answer

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Server(gcs_server.Server):
    conditional = "honoured"  # or "ignored", "501"
    last_authorization = ""

    def route(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        bucket, _, name = urllib.parse.unquote(url.path.removeprefix("/"), errors="strict").partition("/")
        step = {"GET": "get" if name else "list", "PUT": "put", "HEAD": "head", "DELETE": "delete"}[request.command]
        return step, lambda: self.signed(request, bucket, lambda: getattr(self, f"do_{step}")(request, name, query))

    def signed(self, request, bucket, function):
        line = self.last_authorization = request.headers.get("Authorization", "")
        self.need(re.fullmatch(r"AWS4-HMAC-SHA256 Credential=id/\d{8}/[a-z0-9-]+/s3/aws4_request, "
                               r"SignedHeaders=[a-z0-9;-]+, Signature=[0-9a-f]{64}", line), f"Authorization: {line}")
        for name in request.headers:
            if name.lower().startswith(("x-amz-", "if-")):
                signed = re.search("SignedHeaders=([^,]*)", line)[1].split(";")
                self.need(name.lower() in signed, f"{name} is not signed")
        digest = hashlib.sha256(request.body).hexdigest()
        self.need(request.headers.get("x-amz-content-sha256") == digest, "body's hash")
        if self.forbidden:
            return problem(403, self.forbidden, f"not for {line} {SECRET}")
        if bucket != self.bucket:
            return problem(404, "NoSuchBucket", "The specified bucket does not exist")
        return function()

    def do_put(self, request, name, query):
        there = self.objects.get(name)
        wants_none, wants = request.headers.get("If-None-Match"), request.headers.get("If-Match")
        if (wants_none or wants) and self.conditional == "501":
            return problem(501, "NotImplemented", "A header you provided implies functionality that is missing.")
        fails = (wants_none == "*" and there) or (wants and (not there or etag(there) != wants))
        if self.conditional == "honoured" and fails:
            return problem(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        kind = request.headers.get("Content-Type")
        self.need(kind not in (None, "application/x-www-form-urlencoded"), "Content-Type")
        self.generation += 1
        metadata = {k.lower(): v for k, v in request.headers.items() if k.lower().startswith("x-amz-meta-")}
        self.objects[name] = gcs_server.Object(name, request.body, request.headers["Content-Type"], metadata,
                                               self.generation)
        self.writes.append(name)
        return Answer(200, b"", {"ETag": etag(self.objects[name])})

    def do_get(self, request, name, query):
        there = self.objects.get(name)
        if not there:
            return problem(404, "NoSuchKey", "The specified key does not exist.")
        headers = {"ETag": etag(there), "Content-Type": there.kind, **there.metadata}
        span = request.headers.get("Range")
        if span is None:
            return Answer(200, there.data, headers)
        match = re.fullmatch(r"bytes=(?:-(\d+)|(\d+)-(\d+))", span)
        size = len(there.data)
        begin = max(0, size - int(match[1])) if match[1] else int(match[2])
        end = size if match[1] else min(size, int(match[3]) + 1)
        if begin >= end:
            return problem(416, "InvalidRange", "The requested range is not satisfiable")
        return Answer(206, there.data[begin:end], {**headers, "Content-Range": f"bytes {begin}-{end - 1}/{size}"})

    def do_head(self, request, name, query):
        answer = self.do_get(request, name, query)
        return Answer(answer.code, b"", {**answer.headers, "Content-Length": str(len(answer.body))})

    def do_delete(self, request, name, query):
        self.objects.pop(name, None)
        return Answer(204)

    def do_list(self, request, name, query):
        self.need(query.get("list-type") == "2", "list-type")
        self.need(list(query) == sorted(query), "the query is not sorted")
        prefix, token = query.get("prefix", ""), query.get("continuation-token", "")
        after = max(token.removeprefix("+/="), query.get("start-after", ""))
        names = [n for n in sorted(self.objects, key=str.encode) if n.startswith(prefix) and n > after]
        page = [self.objects[n] for n in names[:self.page]]
        items = "".join(f"<Contents><Key>{escape(there.name)}</Key><ETag>{escape(etag(there))}</ETag>"
                        f"<Size>{len(there.data)}</Size></Contents>" for there in page)
        more = len(page) < len(names)
        following = f"<NextContinuationToken>+/={escape(page[-1].name)}</NextContinuationToken>" if more else ""
        text = ('<?xml version="1.0" encoding="UTF-8"?>\n'
                '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<IsTruncated>{str(more).lower()}</IsTruncated>{items}{following}</ListBucketResult>")
        return Answer(200, text.encode(), {"Content-Type": "application/xml"})


def etag(there):
    return f'"{hashlib.md5(there.data).hexdigest()}"'


def problem(code, word, message):
    return Answer(code, f"<?xml version='1.0'?><Error><Code>{word}</Code><Message>{message}</Message></Error>".encode(),
                  {"Content-Type": "application/xml"})


@contextlib.contextmanager
def serve(conditional="honoured"):
    with gcs_server.serve(state_type=Server) as server:
        server.conditional = conditional
        yield server


def environment(server):
    return {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": server.url,
            "HOME": str(server.tmp)}
