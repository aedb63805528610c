// SPDX-License-Identifier: Apache-2.0
// Copyright The hiwari authors
// bullmq.mjs - what BullMQ takes for the same keys, as jobs without data.
//
//     node bullmq.mjs enqueue PORT N        addBulk, 1000 at a time
//     node bullmq.mjs work PORT N WORKERS   so many workers in this process, each of the concurrency given
//                     CONCURRENCY           until N jobs are done; jobs were added before the clock starts
//
// Prints one JSON object with the seconds.
import { Queue, Worker } from 'bullmq'

const [verb, port, n, workers, concurrency] = [process.argv[2], ...process.argv.slice(3).map(Number)]
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
const options = { removeOnComplete: true }

async function add (queue) {
  for (let i = 0; i < n; i += 1000) {
    await queue.addBulk(Array.from({ length: Math.min(1000, n - i) }, (_, j) =>
      ({ name: 'k', data: {}, opts: options })))
  }
}

async function work () {
  let left = n
  const crew = []
  const start = performance.now()
  await new Promise(resolve => {
    for (let i = 0; i < workers; i++) {
      crew.push(new Worker('bench', async () => { if (--left === 0) resolve() }, { connection, concurrency }))
    }
  })
  const seconds = (performance.now() - start) / 1000
  await Promise.all(crew.map(worker => worker.close(true)))
  return seconds
}

const queue = new Queue('bench', { connection })
await queue.waitUntilReady()
const start = performance.now()
await add(queue)
const seconds = verb === 'work' ? await work() : (performance.now() - start) / 1000
console.log(JSON.stringify({ keys: n, seconds, keys_per_s: n / seconds }))
await queue.close()
process.exit(0)
