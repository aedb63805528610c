-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- settle_renew.lua - hold the settling lease. ARGV: incarnation, token, epoch
-- {OK, lease_ms, answer}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
-- step: settle.renew
if b.settled or b.cancelled or b.settle_token ~= ARGV[2] or b.epoch ~= tonumber(ARGV[3]) then
    return {'OK', b.lease_ms, 'STALE'}
end
allow_full_memory()
call('HSET', BATCH, 'settle_deadline', now + b.lease_ms)
return {'OK', b.lease_ms, 'OK'}
