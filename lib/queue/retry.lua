-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- retry.lua - failed keys wait again, as if they had never been tried.
-- ARGV: incarnation, failed until this time (0: now), then keys; none: the STEP that failed first
-- {OK, moved, time, how many were looked at}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
if b.cancelled then
    return {'CANCELLED'}
end
if not may_move(b) then
    return {'BUSY'}
end
local before = ARGV[2] == '0' and now or tonumber(ARGV[2])
local names = {unpack(ARGV, 3)}
if #names == 0 then
    names = call('ZRANGEBYSCORE', FAILED, '-inf', before, 'LIMIT', 0, STEP)
end
-- step: retry.move
local moved = 0
for _, key in ipairs(names) do
    if call('ZREM', FAILED, key) == 1 then
        local r = record_parse(call('HGET', RECORDS, key))
        pending_put(b, key, false)
        call('HSET', RECORDS, key, record_fresh(r, r.e))
        moved = moved + 1
    end
end
if b.hold then
    call('HSET', BATCH, 'hold', now + HOLD_MS)
end
return {'OK', moved, before, #names}
