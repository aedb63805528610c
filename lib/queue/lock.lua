-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- lock.lua - one at a time. ARGV: incarnation, what, token, ttl_ms (0 unlocks)
if not batch_is(ARGV[1]) then
    return {'GONE'}
end
local what, token, ttl_ms = ARGV[2], ARGV[3], tonumber(ARGV[4])
local holder, deadline = string.match(call('HGET', LOCKS, what) or '', '^(.*)|(%d+)$')
-- step: lock.compare
if holder and holder ~= token and tonumber(deadline) > now then
    return {'BUSY'}
end
-- step: lock.set
if ttl_ms > 0 then
    call('HSET', LOCKS, what, token .. '|' .. now + ttl_ms)
    call('PEXPIRE', LOCKS, 30 * 86400000) -- a settled batch's lock must not outlive the batch
elseif holder == token then
    call('HDEL', LOCKS, what)
end
return {'OK'}
