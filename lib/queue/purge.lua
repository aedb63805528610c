-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- purge.lua - remove everything about the batch. UNLINK leaves the work to another thread, so that
-- this takes no longer for a million keys than for one. ARGV: incarnation
-- {OK, number of key records removed}
if not batch_is(ARGV[1]) then
    return {'GONE'}
end
local n = call('HLEN', RECORDS)
-- step: purge.unlink
call('UNLINK', unpack(KEYS))
return {'OK', n}
