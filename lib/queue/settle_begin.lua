-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- settle_begin.lua - take the settling lease.
-- ARGV: incarnation, worker, nonce
-- {OK, lease_ms, token, epoch} or {answer}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
if b.settled then
    return {'SETTLED'}
end
-- step: settle.check
if b.cancelled or not batch_finished(b) then
    return {'EMPTY'}
end
if (b.hold and ahead(b.hold, HOLD_MS)) or settle_busy(b, ARGV[2]) then
    return {'BUSY'}
end
allow_full_memory()
-- step: settle.take
local token = call('HINCRBY', BATCH, 'seq', 1) .. '-' .. ARGV[3]
call('HSET', BATCH, 'settle_token', token, 'settle_worker', ARGV[2], 'settle_deadline',
     now + b.lease_ms)
return {'OK', b.lease_ms, token, b.epoch}
