-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- seal.lua - no more keys. ARGV: incarnation, number of keys there must be
-- {OK} or {DIFFERS, number of keys there are}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
-- step: seal.compare
if b.total ~= tonumber(ARGV[2]) then
    return {'DIFFERS', b.total}
end
-- step: seal.set
call('HSET', BATCH, 'sealed', 1, 'adder', '') -- without an adder, add.lua looks again
return {'OK'}
