# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""gcs_server.py - the part of Google Cloud Storage that hiwari talks to, strict, and able to misbehave.

    with gcs_server.serve() as server:
        server.misbehave("put", 0, gcs_server.lose())     # the first upload is stored, its answer is lost
        ... run something with STORAGE_EMULATOR_HOST=server.url ...
        assert not server.problems and server.objects["prefix/name"].data == ...

Every request is one step of an exchange, and has a name: put (one request with description and content), session,
piece, ask (how far has it come?), stat, get, delete, list; token (an OAuth endpoint that knows the grants for keys,
refresh tokens and federated tokens), impersonate, metadata. What is not as the protocol wants it is noted in
`problems` and answered with 400.

With credentials wanted, the server is reached as a proxy: it answers CONNECT for any host with a certificate of
`authority`, so that a program under test talks to https://storage.googleapis.com as it always does.
"""
import base64
import contextlib
import ctypes
import datetime
import email.parser
import http.server
import json
import pathlib
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import cli

UNIT = 256 << 10
DAY_S = 86400


# ---- misbehaviour: what happens instead of, before or after the answer ----

class Fault:
    """kind: with effect, after (another answer), garbage (a senseless one), nonsense (bytes that are not HTTP), cut
    (the answer ends after n bytes), lose (none), late (after a while); without, status (another answer), refuse
    (none), stall (none for a while), early (closed after n bytes of the request)."""

    def __init__(self, kind, **more):
        self.kind = kind
        self.__dict__.update(more)


def status(code, text="the server's own words", headers=None, kind="application/json"):
    body = text if kind != "application/json" else json.dumps({"error": {"code": code, "message": text}})
    return Fault("status", code=code, body=body.encode() if isinstance(body, str) else body,
                 headers={"Content-Type": kind, **(headers or {})})


def garbage(data=b"\x00\xff not JSON at all"):
    return Fault("garbage", data=data)


def nonsense(data=b"\x16\x03\x01 what protocol is this\r\n\r\n"):
    return Fault("nonsense", data=data)


def cut(n):
    return Fault("cut", n=n)


def lose():
    return Fault("lose")


def refuse():
    return Fault("refuse")


def early(n):
    return Fault("early", n=n)


def after(code, text="the server's own words"):
    return Fault("after", answer=error(code, text))


def stall(seconds):
    return Fault("stall", seconds=seconds)


def late(seconds):
    return Fault("late", seconds=seconds)


class Object:
    def __init__(self, name, data, kind, metadata, generation):
        self.name, self.data, self.kind, self.metadata, self.generation = name, data, kind, metadata, generation
        self.crc = crc_text(data)

    def resource(self):
        return {"kind": "storage#object", "name": self.name, "generation": str(self.generation),
                "size": str(len(self.data)), "crc32c": self.crc, "contentType": self.kind, "metadata": self.metadata}


class Answer:
    def __init__(self, code, body=b"", headers=None):
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
        self.code, self.body, self.headers = code, body, headers or {}


def error(code, message):
    return Answer(code, {"error": {"code": code, "message": message, "errors": [{"message": message}]}})


class Refused(Exception):
    """The request is not as the protocol wants it."""


def crc_text(data):
    crc = _isal().crc32_iscsi(data, len(data), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return base64.b64encode((crc & 0xFFFFFFFF).to_bytes(4, "big")).decode()


def _isal():
    library = ctypes.CDLL("libisal.so.2")
    library.crc32_iscsi.restype = ctypes.c_uint
    library.crc32_iscsi.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_uint]
    return library


class Server:
    def __init__(self, tmp, bucket, auth):
        self.tmp, self.bucket, self.auth = tmp, bucket, auth
        self.lock = threading.RLock()
        self.objects, self.sessions, self.writes = {}, {}, []
        self.victim = None  # (step, bytes in the body, fault): for those requests alone
        self.plan, self.rule, self.counts, self.steps, self.problems = {}, None, {}, [], []
        self.generation = 1700000000000000
        self.page = 1000
        self.delay = 0.0
        self.tokens, self.token_seconds, self.tokens_given = set(), 3599, 0
        self.forbidden = False
        self.seen_authorization = []
        self.stopping = threading.Event()
        self.together = self.most_together = 0  # requests that are being answered
        self.clock_ahead_s = 0

    # -- scripting --

    def misbehave(self, step, number, fault, times=1):
        """Let request number `number` (from 0) of this step, and the next times - 1, go wrong."""
        for i in range(times):
            self.plan[step, number + i] = fault

    def take_fault(self, step, request):
        """What this request is to suffer; `rule(step, number)` is asked when nothing is planned."""
        with self.lock:
            number = self.counts.get(step, 0)
            self.counts[step] = number + 1
            self.steps.append(step)
            if self.victim and self.victim[0] == step and self.victim[1] in request.body:
                return self.victim[2]
            return self.plan.get((step, number)) or (self.rule and self.rule(step, number))

    def count(self, step):
        return self.counts.get(step, 0)

    def put(self, name, data, kind="application/zip", metadata=None):
        """An object that somebody else has put there."""
        with self.lock:
            self.generation += 1
            self.objects[name] = Object(name, data, kind, metadata or {}, self.generation)
            return self.objects[name]

    # -- what every request must have --

    def problem(self, text):
        self.problems.append(text)
        raise Refused(text)

    def need(self, condition, text):
        if not condition:
            self.problem(text)

    def authorize(self, request):
        line = request.headers.get("Authorization")
        self.seen_authorization.append(line)
        if not self.auth:
            self.need(line is None, f"an emulator was sent credentials: {line}")
            return None
        token = line.removeprefix("Bearer ") if line and line.startswith("Bearer ") else None
        if token not in self.tokens:
            return error(401, f"Invalid Credentials {token}")
        if self.forbidden:
            return error(403, f"robot@p.iam.gserviceaccount.com does not have storage.objects.create access. {token}")
        return None

    # -- preconditions --

    def precondition(self, query, name):
        wanted = query.get("ifGenerationMatch")
        if wanted is None:
            return True
        self.need(re.fullmatch(r"\d+", wanted), f"ifGenerationMatch={wanted}")
        there = self.objects.get(name)
        return int(wanted) == (there.generation if there else 0)

    def make(self, description, data):
        """The write itself; called with the precondition just seen to hold."""
        self.need(description.get("crc32c"), "the description has no crc32c")
        self.need(description.get("contentType"), "the description has no contentType")
        if description["crc32c"] != crc_text(data):
            return error(400, f"Provided CRC32C \"{description['crc32c']}\" doesn't match calculated CRC32C "
                              f"\"{crc_text(data)}\".")
        self.generation += 1
        made = Object(description["name"], data, description["contentType"], description.get("metadata", {}),
                      self.generation)
        self.objects[made.name] = made
        self.writes.append(made.name)
        return Answer(200, made.resource())

    # -- the steps --

    def route(self, request):
        """The step's name and the function that does it."""
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
        path, method = url.path, request.command
        if path == "/token":
            return "token", lambda: self.token(request)
        if path.startswith("/v1/projects/-/serviceAccounts/"):
            return "impersonate", lambda: self.impersonate(request)
        if path.startswith("/computeMetadata/"):
            return "metadata", lambda: self.metadata(request, path)
        upload = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", path)
        if upload and method == "POST":
            kind = query.get("uploadType")
            if kind == "multipart":
                return "put", lambda: self.guarded(request, upload[1], lambda: self.put_at_once(request, query))
            if kind == "resumable":
                return "session", lambda: self.guarded(request, upload[1], lambda: self.begin(request, query))
        if upload and method == "PUT" and "upload_id" in query:
            asks = request.headers.get("Content-Range", "").startswith("bytes */")
            return ("ask" if asks else "piece"), lambda: self.piece(request, query["upload_id"])
        one = re.fullmatch(r"/storage/v1/b/([^/]+)/o/([^/]+)", path)
        if one and method in ("GET", "DELETE"):
            name = urllib.parse.unquote(one[2], errors="strict")
            if method == "DELETE":
                return "delete", lambda: self.guarded(request, one[1], lambda: self.delete(query, name))
            if query.get("alt") == "media":
                return "get", lambda: self.guarded(request, one[1], lambda: self.get(request, name))
            return "stat", lambda: self.guarded(request, one[1], lambda: self.stat(name))
        every = re.fullmatch(r"/storage/v1/b/([^/]+)/o", path)
        if every and method == "GET":
            return "list", lambda: self.guarded(request, every[1], lambda: self.list(query))
        return "unknown", lambda: self.problem(f"{method} {request.path}")

    def guarded(self, request, bucket, function):
        refusal = self.authorize(request)
        if refusal:
            return refusal
        if bucket != self.bucket:
            return error(404, "The specified bucket does not exist.")
        return function()

    def put_at_once(self, request, query):
        kind = request.headers.get("Content-Type", "")
        match = re.fullmatch(r"multipart/related; boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})", kind)
        self.need(match, f"Content-Type: {kind}")
        mark = b"--" + match[1].encode()
        body = request.body
        self.need(body.startswith(mark + b"\r\n") and body.endswith(b"\r\n" + mark + b"--\r\n"), "boundaries")
        inner = body[len(mark) + 2:-len(mark) - 6]
        parts = inner.split(b"\r\n" + mark + b"\r\n")
        self.need(len(parts) == 2, f"{len(parts)} parts")
        (first_head, first), (second_head, data) = (part.split(b"\r\n\r\n", 1) for part in parts)
        heads = [email.parser.BytesParser().parsebytes(head + b"\r\n\r\n") for head in (first_head, second_head)]
        self.need(heads[0]["Content-Type"] == "application/json; charset=UTF-8", "the first part's Content-Type")
        description = json.loads(first)
        self.need(heads[1]["Content-Type"] == description["contentType"], "the second part's Content-Type")
        if not self.precondition(query, description["name"]):
            return error(412, "At least one of the pre-conditions you specified did not hold.")
        return self.make(description, data)

    def begin(self, request, query):
        self.need(request.headers.get("Content-Type") == "application/json; charset=UTF-8", "Content-Type")
        description = json.loads(request.body)
        self.need(request.headers.get("X-Upload-Content-Type") == description["contentType"], "X-Upload-Content-Type")
        total = int(request.headers["X-Upload-Content-Length"])
        if not self.precondition(query, description["name"]):
            return error(412, "At least one of the pre-conditions you specified did not hold.")
        word = f"upload-secret-{len(self.sessions)}-{'x' * 40}"
        self.sessions[word] = {"description": description, "query": query, "total": total, "data": b"", "made": None}
        place = f"{request.origin}/upload/storage/v1/b/{self.bucket}/o?uploadType=resumable&upload_id={word}"
        return Answer(200, b"", {"Location": place})

    def piece(self, request, word):
        self.need(request.headers.get("Authorization") is None, "credentials were sent to a session's URL")
        session = self.sessions.get(word)
        if session is None:
            return error(404, "No such upload session.")
        span = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", request.headers.get("Content-Range", ""))
        self.need(span and int(span[3]) == session["total"], f"Content-Range: {request.headers.get('Content-Range')}")
        if session["made"]:
            return Answer(200, session["made"].resource())
        if span[1] is not None:
            first, last = int(span[1]), int(span[2])
            self.need(len(request.body) == last + 1 - first, "the piece is not as long as its Content-Range")
            self.need(last + 1 == session["total"] or len(request.body) % UNIT == 0, "no multiple of 256 KiB")
            self.need(first <= len(session["data"]), "a piece begins beyond what is there")
            session["data"] = session["data"][:first] + request.body
        else:
            self.need(not request.body, "a question has a body")
        if len(session["data"]) < session["total"]:
            there = {"Range": f"bytes=0-{len(session['data']) - 1}"} if session["data"] else {}
            return Answer(308, b"", there)
        if not self.precondition(session["query"], session["description"]["name"]):
            return error(412, "At least one of the pre-conditions you specified did not hold.")
        answer = self.make(session["description"], session["data"])
        session["made"] = self.objects[session["description"]["name"]] if answer.code == 200 else None
        return answer

    def keep_some(self, word_number, n):
        """Of what a session holds only n bytes were kept."""
        session = list(self.sessions.values())[word_number]
        session["data"] = session["data"][:n]

    def stat(self, name):
        there = self.objects.get(name)
        return Answer(200, there.resource()) if there else error(404, f"No such object: {self.bucket}/{name}")

    def get(self, request, name):
        there = self.objects.get(name)
        if not there:
            return Answer(404, f"No such object: {self.bucket}/{name}".encode(), {"Content-Type": "text/html"})
        headers = {"X-Goog-Generation": str(there.generation), "X-Goog-Hash": f"crc32c={there.crc},md5=AAAA",
                   "Content-Type": there.kind}
        span = request.headers.get("Range")
        if span is None:
            return Answer(200, there.data, headers)
        match = re.fullmatch(r"bytes=(?:-(\d+)|(\d+)-(\d+))", span)
        self.need(match, f"Range: {span}")
        size = len(there.data)
        begin = max(0, size - int(match[1])) if match[1] else int(match[2])
        end = size if match[1] else min(size, int(match[3]) + 1)
        if begin >= end:
            return error(416, "The requested range cannot be satisfied.")
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        return Answer(206, there.data[begin:end], headers)

    def delete(self, query, name):
        if name not in self.objects:
            return error(404, f"No such object: {self.bucket}/{name}")
        if not self.precondition(query, name):
            return error(412, "At least one of the pre-conditions you specified did not hold.")
        del self.objects[name]
        return Answer(204)

    def list(self, query):
        prefix, token = query.get("prefix", ""), query.get("pageToken", "")
        names = [n for n in sorted(self.objects, key=str.encode) if n.startswith(prefix)]
        if query.get("delimiter"):
            names = [n for n in names if query["delimiter"] not in n[len(prefix):]]
        names = [n for n in names if n >= query.get("startOffset", "")
                 and ("endOffset" not in query or n < query["endOffset"])]
        if token:
            self.need(token.startswith("after/"), f"pageToken={token}")
            names = [n for n in names if n > token.removeprefix("after/")]
        page = names[:min(self.page, int(query.get("maxResults", "1000")))]
        answer = {"kind": "storage#objects"}
        if page:
            fields = re.search(r"items\(([^)]*)\)", query.get("fields", ""))
            wanted = fields[1].split(",") if fields else None
            answer["items"] = [{k: v for k, v in self.objects[n].resource().items() if not wanted or k in wanted}
                               for n in page]
        if len(page) < len(names):
            answer["nextPageToken"] = f"after/{page[-1]}"
        return Answer(200, answer)

    # -- credentials --

    def new_token(self, kind):
        self.tokens_given += 1
        token = f"ya29.{kind}-{self.tokens_given}-{'S' * 60}"
        self.tokens.add(token)
        return token

    def token(self, request):
        self.need(request.headers.get("Content-Type") == "application/x-www-form-urlencoded", "the form's Content-Type")
        form = dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))
        grant = form.get("grant_type")
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            refusal = self.check_statement(form["assertion"], request.origin)
        elif grant == "refresh_token":
            good = (form["client_id"], form["client_secret"], form["refresh_token"]) == USER
            refusal = None if good else ("invalid_grant", f"Bad Request {form['refresh_token']}")
        elif grant == "urn:ietf:params:oauth:grant-type:token-exchange":
            good = form["subject_token"] == SUBJECT and form["audience"] == AUDIENCE
            refusal = None if good else ("invalid_grant", f"The token {form['subject_token']} is not good")
        else:
            refusal = ("unsupported_grant_type", grant)
        if refusal:
            return Answer(400, {"error": refusal[0], "error_description": refusal[1]})
        return Answer(200, {"access_token": self.new_token("t"), "expires_in": self.token_seconds,
                            "token_type": "Bearer"})

    def check_statement(self, statement, origin):
        head, claims, signature = statement.split(".")
        facts = json.loads(from_base64url(claims))
        if not verify(self.tmp, f"{head}.{claims}".encode(), from_base64url(signature)):
            return "invalid_grant", "Invalid JWT Signature."
        self.need(json.loads(from_base64url(head)) == {"alg": "RS256", "typ": "JWT", "kid": "key1"}, "the JWT's header")
        self.need(facts["iss"] == ROBOT and facts["aud"].endswith("/token") and "devstorage" in facts["scope"],
                  f"the JWT's claims: {facts}")
        now = time.time() + self.clock_ahead_s
        if not facts["iat"] - 300 <= now <= facts["exp"] or facts["exp"] - facts["iat"] > 3600:
            return "invalid_grant", ("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                                     "timeframe. Check your iat and exp values in the JWT claim.")
        return None

    def impersonate(self, request):
        line = request.headers.get("Authorization", "")
        self.need(line.removeprefix("Bearer ") in self.tokens, "impersonation's token")
        self.need(json.loads(request.body)["lifetime"] == "3600s", "lifetime")
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return Answer(200, {"accessToken": self.new_token("i"), "expireTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def metadata(self, request, path):
        self.need(request.headers.get("Metadata-Flavor") == "Google", "Metadata-Flavor")
        self.need(path.endswith("/instance/service-accounts/default/token"), path)
        return Answer(200, {"access_token": self.new_token("m"), "expires_in": self.token_seconds,
                            "token_type": "Bearer"}, {"Metadata-Flavor": "Google"})


ROBOT = "robot@project.iam.gserviceaccount.com"
USER = ("client.apps.example", "GOCSPX-secret-of-the-client", "1//refresh-token-of-somebody")
SUBJECT = "subject.token.from-a-file"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(tmp, data, signature):
    with tempfile.TemporaryDirectory(dir=tmp) as place:
        place = pathlib.Path(place)
        (place / "data").write_bytes(data)
        (place / "signature").write_bytes(signature)
        return subprocess.run(["openssl", "dgst", "-sha256", "-verify", tmp / "robot.pub", "-signature",
                               place / "signature", place / "data"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        super().setup()
        self.secure = False
        self.host = None

    def log_message(self, *args):
        pass

    def do_CONNECT(self):
        self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host = self.path.rsplit(":", 1)[0]
        self.connection = self.server.context_for(host).wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.secure, self.host = True, host
        self.close_connection = False

    body = b""

    def read_body(self, limit=None):
        length = int(self.headers.get("Content-Length", 0))
        if self.headers.get("Transfer-Encoding"):
            self.server.state.problems.append("chunked request")
        return self.rfile.read(length if limit is None else min(limit, length))

    def close_now(self):
        """Nothing more goes to the peer, not even an orderly end."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.shutdown(socket.SHUT_RDWR)

    def effect(self, function):
        state = self.server.state
        with state.lock:
            try:
                return function()
            except Refused as problem:
                return error(400, f"malformed: {problem}")
            except Exception as problem:  # a request that this server cannot even read
                state.problems.append(f"{self.command} {self.path}: {problem!r}")
                return error(400, f"malformed: {problem!r}")

    def raw(self, answer):
        head = f"HTTP/1.1 {answer.code} {http.server.BaseHTTPRequestHandler.responses.get(answer.code, ('?',))[0]}\r\n"
        date = time.time() + self.server.state.clock_ahead_s
        headers = {"Date": self.date_time_string(date), "Content-Length": str(len(answer.body)), **answer.headers}
        if answer.code == 204:
            headers.pop("Content-Length")
        if self.command == "HEAD":
            answer.body = b""
        return (head + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode("latin-1") + answer.body

    def route(self):
        try:
            return self.server.state.route(self)
        except ValueError as problem:
            self.server.state.problems.append(f"{self.command} {self.path}: {problem}")
            return "unknown", lambda: error(400, "malformed")

    def wait(self, seconds):
        self.server.state.stopping.wait(seconds)

    def handle_any(self):
        state = self.server.state
        with state.lock:
            state.together += 1
            state.most_together = max(state.most_together, state.together)
        try:
            self.answer(state)
        finally:
            with state.lock:
                state.together -= 1

    def answer(self, state):
        self.origin = f"https://{self.host}" if self.secure else state.url
        if not self.secure and self.path.startswith("http://"):  # by way of a proxy, but not encrypted
            state.problems.append(f"plain request through the proxy: {self.path}")
        step, function = self.route()
        early = state.plan.get((step, state.count(step)))
        if early and early.kind == "early":
            self.read_body(early.n)
            state.take_fault(step, self)
            return self.close_now()
        self.body = self.read_body()
        if len(self.body) < int(self.headers.get("Content-Length", 0)):
            return self.close_now()  # its sender died in the middle: as if nothing had been asked
        fault = state.take_fault(step, self)
        kind = fault.kind if fault else None
        if state.delay:
            self.wait(state.delay)
        if kind in ("refuse", "early"):
            return self.close_now()
        if kind == "stall":
            self.wait(fault.seconds)
            return self.close_now()
        if kind == "status":
            return self.send(self.raw(Answer(fault.code, fault.body, fault.headers)))
        data = self.raw(self.effect(function))
        if kind == "lose":
            return self.close_now()
        if kind == "cut":
            self.send(data[:fault.n])
            return self.close_now()
        if kind == "nonsense":
            self.send(fault.data)
            return self.close_now()
        if kind == "late":
            self.wait(fault.seconds)
        elif kind == "after":
            data = self.raw(fault.answer)
        elif kind == "garbage":
            data = self.raw(Answer(200, fault.data, {"Content-Type": "application/json"}))
        return self.send(data)

    def send(self, data):
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = handle_any


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # a peer that hangs up is what these tests are about

    def context_for(self, host):
        with self.state.lock:
            if host not in self.contexts:
                self.contexts[host] = make_context(self.state.tmp, host)
            return self.contexts[host]


# ---- keys and certificates ----

def openssl(*args, **options):
    subprocess.run(["openssl", *map(str, args)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   **options)


def make_keys(tmp):
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", tmp / "robot.pem")
    openssl("pkey", "-in", tmp / "robot.pem", "-pubout", "-out", tmp / "robot.pub")
    make_authority(tmp)


def make_authority(tmp):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=hiwari test authority", "-keyout", tmp / "authority.key", "-out", tmp / "authority.pem")


def make_context(tmp, host):
    base = tmp / f"host-{host}"
    request, names = f"{base}.csr", f"{base}.names"
    pathlib.Path(names).write_text(f"subjectAltName=DNS:{host}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={host}",
            "-keyout", f"{base}.key", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", tmp / "authority.pem", "-CAkey", tmp / "authority.key",
            "-CAcreateserial", "-days", "2", "-extfile", names, "-out", f"{base}.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{base}.pem", f"{base}.key")
    return context


@contextlib.contextmanager
def serve(bucket="bucket-1", auth=False, state_type=Server):
    """A server on a free port. auth: credentials are wanted, and keys and certificates are made for them."""
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="hiwari-gcs-"))
    state = state_type(tmp, bucket, auth)
    if auth:
        make_keys(tmp)
    listener = Listener(("127.0.0.1", 0), Handler)
    listener.state, listener.contexts = state, {}
    state.port = listener.server_address[1]
    state.url = f"http://127.0.0.1:{state.port}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        state.stopping.set()
        listener.shutdown()
        thread.join()
        listener.server_close()
        shutil.rmtree(tmp, ignore_errors=True)


# ---- how a program under test finds it ----

def plain_environment(server):
    return {"STORAGE_EMULATOR_HOST": server.url, "HOME": str(server.tmp)}


def proxy_environment(server):
    """As in the world: https and credentials, with this server as the way there."""
    return {"https_proxy": server.url, "CURL_CA_BUNDLE": str(server.tmp / "authority.pem"), "HOME": str(server.tmp),
            "no_proxy": "127.0.0.1"}


def key_file(server, **more):
    facts = {"type": "service_account", "project_id": "project", "private_key_id": "key1", "client_email": ROBOT,
             "private_key": (server.tmp / "robot.pem").read_text(), "token_uri": f"{server.url}/token", **more}
    path = server.tmp / "key.json"
    path.write_text(json.dumps({k: v for k, v in facts.items() if v is not None}))
    return path


def user_file(server, path, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    client_id, client_secret, refresh_token = USER
    path.write_text(json.dumps({"type": "authorized_user", "client_id": client_id, "client_secret": client_secret,
                                "refresh_token": refresh_token, "token_uri": f"{server.url}/token", **more}))
    return path


def external_file(server, json_token=False, impersonate=False, **more):
    token = server.tmp / "subject"
    token.write_text(json.dumps({"value": SUBJECT}) if json_token else SUBJECT + "\n")
    source = {"file": str(token)}
    if json_token:
        source["format"] = {"type": "json", "subject_token_field_name": "value"}
    facts = {"type": "external_account", "audience": AUDIENCE, "token_url": f"{server.url}/token",
             "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source, **more}
    if impersonate:
        facts["service_account_impersonation_url"] = (
            f"{server.url}/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken")
    path = server.tmp / "external.json"
    path.write_text(json.dumps(facts))
    return path
