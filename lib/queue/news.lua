-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- news.lua - who tells of keys that have failed since it was told last: one worker, now and then.
-- ARGV: incarnation, ms between two messages
-- {OK, keys to tell of (0: none now), failed keys in all, ms until there may be some (0: not known)}
if not batch_open(ARGV[1]) then
    return {'GONE'}
end
local interval = tonumber(ARGV[2])
local v = call('HMGET', BATCH, 'noted', 'noted_ms')
local failed, noted, noted_ms = call('ZCARD', FAILED), tonumber(v[1]) or 0, tonumber(v[2]) or 0
if noted > failed then -- some were retried
    noted = failed
    call('HSET', BATCH, 'noted', noted)
end
-- step: news.compare
if failed == noted then
    return {'OK', 0, failed, 0}
end
if ahead(noted_ms + interval, interval) then
    return {'OK', 0, failed, noted_ms + interval - now}
end
-- step: news.claim
call('HSET', BATCH, 'noted', failed, 'noted_ms', now_text)
return {'OK', failed - noted, failed, 0}
