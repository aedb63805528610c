-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- leave.lua - a worker goes. ARGV: incarnation, worker
if not batch_is(ARGV[1]) then
    return {'GONE'}
end
-- step: leave.forget
call('HDEL', WORKERS, ARGV[2])
call('ZREM', SEEN, ARGV[2])
return {'OK'}
