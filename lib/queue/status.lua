-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- status.lua - the batch in numbers. ARGV: incarnation
-- {OK, now, batch fields, place counts, rate, seen workers, their records, their names,
--  failed keys, their errors, their records}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
local function many(hash, fields)
    return #fields > 0 and call('HMGET', hash, unpack(fields)) or {}
end
-- step: status.read
-- Who was seen in the future was seen by another server's clock, nobody knows when: whoever is alive
-- will be seen again by this one's.
local late = call('ZCOUNT', SEEN, '(' .. now + SLACK_MS, '+inf')
local seen = call('ZREVRANGE', SEEN, late, late + STEP - 1, 'WITHSCORES')
local ids, numbers = {}, {}
for i = 1, #seen, 2 do
    ids[#ids + 1] = seen[i]
end
local workers = many(WORKERS, ids)
for i, text in ipairs(workers) do
    numbers[i] = text and string.match(text, '^%d+') or '0'
end
local failed = call('ZREVRANGE', FAILED, 0, STEP - 1)
return {'OK', now,
        call('HMGET', BATCH, 'sealed', 'settled', 'paused', 'cancelled', 'total', 'attempts',
             'interruptions', 'epoch', 'made'),
        {call('ZCARD', PENDING), call('ZCARD', DELAYED), call('ZCARD', LEASED), call('SCARD', DONE),
         call('ZCARD', FAILED), call('HLEN', RECORDS),
         call('ZCOUNT', SEEN, now - 120000, now + SLACK_MS)},
        call('HGETALL', RATE), seen, workers, many(NAMES, numbers), failed, many(ERRORS, failed),
        many(RECORDS, failed)}
