-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- reopen.lua - keys of the batch are about to move, or have moved.
-- ARGV: incarnation, begin; or end, epoch that the begin answered
-- {OK, epoch} or {CANCELLED}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
-- step: reopen.end
if ARGV[2] == 'end' then
    if b.epoch == tonumber(ARGV[3]) then -- else others have begun to move keys since
        call('HDEL', BATCH, 'hold')
    end
    return {'OK', b.epoch}
end
if b.cancelled then
    return {'CANCELLED'}
end
-- step: reopen.begin
-- A settling in progress becomes stale, and none begins before the keys have moved (or the mover
-- has died).
for _, key in ipairs(KEYS) do
    call('PERSIST', key)
end
call('HDEL', BATCH, 'settled', 'settled_ms', 'settle_token', 'settle_worker', 'settle_deadline')
call('HSET', BATCH, 'hold', now + HOLD_MS)
return {'OK', call('HINCRBY', BATCH, 'epoch', 1)}
