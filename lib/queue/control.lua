-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- control.lua - pause, resume or cancel. ARGV: incarnation, what
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
if b.settled then
    return {'SETTLED'}
end
allow_full_memory()
-- step: control.set
if ARGV[2] == 'cancel' then
    call('HSET', BATCH, 'cancelled', 1)
elseif b.cancelled then
    return {'CANCELLED'}
elseif ARGV[2] == 'pause' then
    call('HSET', BATCH, 'paused', 1)
else
    call('HDEL', BATCH, 'paused')
end
return {'OK'}
