-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- add.lua - more keys for a batch that is not sealed.
-- ARGV: incarnation, p (to be computed) or d (result is there), then per key: key, expect
-- {OK, added, present, refused}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
local names = {}
for i = 3, #ARGV, 2 do
    names[#names + 1] = ARGV[i]
end
local texts = call('HMGET', RECORDS, unpack(names))
local records, fresh = {}, {}
for i, key in ipairs(names) do
    if not texts[i] then
        local expect = ARGV[2 * i + 2]
        records[#records + 1] = key
        records[#records + 1] = expect == '' and ARGV[2] or record_fresh(record_parse(), expect)
        fresh[#fresh + 1] = key
    end
end
-- step: add.refuse
if b.sealed then
    return {'OK', 0, #names - #fresh, #fresh}
end
-- step: add.store
local added = 0
if #fresh > 0 then
    added = call('HSET', RECORDS, unpack(records))
    call('HINCRBY', BATCH, 'total', added)
    if ARGV[2] == 'd' then
        call('SADD', DONE, unpack(fresh))
    else
        local last = call('ZREVRANGE', PENDING, 0, 0, 'WITHSCORES')
        local score = tonumber(last[2] or 0)
        local members = {}
        for i, key in ipairs(fresh) do
            members[2 * i - 1], members[2 * i] = score + i, key
        end
        call('ZADD', PENDING, unpack(members))
    end
end
return {'OK', added, #names - added, 0}
