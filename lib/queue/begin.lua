-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- begin.lua - make a batch, or find it made.
-- ARGV: incarnation, text of _batch.json, then fields and values of the batch
-- {OK, 1 if it was made now} or {BUSY, the other incarnation}
local v = call('HMGET', BATCH, 'inc', 'settled', 'cancelled')
-- step: begin.present
if v[1] == ARGV[1] then
    return {'OK', 0}
end
-- step: begin.busy
if v[1] and v[2] ~= '1' and v[3] ~= '1' then
    return {'BUSY', v[1]}
end
-- step: begin.replace
call('UNLINK', unpack(KEYS))
-- step: begin.make
call('HSET', BATCH, 'inc', ARGV[1], 'adder', '', 'total', 0, 'seq', 0, 'epoch', 1, 'attempts', 0,
     'interruptions', 0, 'made', now, unpack(ARGV, 3))
call('SET', JSON, ARGV[2])
return {'OK', 1}
