-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- fail.lua - an attempt ended in an error.
-- ARGV: incarnation, worker, key, token, class, text, random number below 1000
-- {OK, answer}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
local key, token, class = ARGV[3], ARGV[4], ARGV[5]
local r = record_parse(call('HGET', RECORDS, key))
allow_full_memory()

-- step: fail.check
if r.s ~= 'l' or r.t ~= token then
    local again = r.t == token and r.y == 'e' and r.s ~= 'd'
    if r.s ~= 'l' then
        worker_update(ARGV[2], {[key] = true}, 0)
    end
    return {'OK', again and 'ALREADY' or 'STALE'}
end

-- step: fail.move
call('ZREM', LEASED, key)
lineage_add(key, r, class)
r.a = r.a + 1
r.y = 'e'
call('HINCRBY', BATCH, 'attempts', 1)
if class == 'input' or r.a >= b.max_attempts then
    key_fail(key, r, class, ARGV[6])
else
    local wait = math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ^ math.min(r.a - 1, 20))
    r.s = 'w'
    call('ZADD', DELAYED, now + math.floor(wait * (0.5 + tonumber(ARGV[7]) / 2000)), key)
    call('HSET', ERRORS, key, class .. '\n' .. ARGV[6])
end
call('HSET', RECORDS, key, record_text(r))
worker_update(ARGV[2], {[key] = true}, 0)
return {'OK', 'OK'}
