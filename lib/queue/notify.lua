-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- notify.lua - where word of the batch is sent to; "" forgets it. ARGV: incarnation, URL
if not batch_open(ARGV[1]) then
    return {'GONE'}
end
-- step: notify.set
call('HSET', BATCH, 'notify', ARGV[2])
return {'OK'}
