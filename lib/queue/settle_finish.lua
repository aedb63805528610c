-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- settle_finish.lua - the store has acknowledged: the batch is settled, and expires in time.
-- ARGV: incarnation, token, epoch, ms until everything about it expires
-- {OK, answer}, or {BUSY}: another worker has taken over this very settling, and judges what is there
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
-- step: settle.stale
if not b.settle_token or b.epoch ~= tonumber(ARGV[3]) then
    return {'OK', 'STALE'}
end
-- step: settle.taken_over
if b.settle_token ~= ARGV[2] then
    return {'BUSY'}
end
if b.settled then
    return {'OK', 'ALREADY'}
end
if b.cancelled or not batch_finished(b) then
    return {'OK', 'STALE'}
end
allow_full_memory()
-- step: settle.finish
call('HSET', BATCH, 'settled', 1, 'settled_ms', now)
call('HDEL', BATCH, 'settle_deadline', 'hold')
for _, key in ipairs(KEYS) do
    call('PEXPIRE', key, ARGV[4])
end
return {'OK', 'OK'}
