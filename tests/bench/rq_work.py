# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""rq_work.py PORT N - what RQ (Debian's python3-rq) takes to enqueue N jobs and to do them with its SimpleWorker, which
does not fork. Prints one JSON object."""
import json
import logging
import sys
import time

import redis
import rq

port, n = map(int, sys.argv[1:])
logging.disable(logging.CRITICAL)
connection = redis.Redis("127.0.0.1", port)
queue = rq.Queue("bench", connection=connection)
start = time.perf_counter()
queue.enqueue_many([rq.Queue.prepare_data("time.time", args=(), result_ttl=0) for _ in range(n)])
added = time.perf_counter()
rq.SimpleWorker([queue], connection=connection).work(burst=True, logging_level="CRITICAL")
print(json.dumps({"enqueued_per_s": n / (added - start), "keys_per_s": n / (time.perf_counter() - added)}))
