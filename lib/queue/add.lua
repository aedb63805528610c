-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- add.lua - more keys for a batch that is not sealed.
-- ARGV: incarnation, what (p: keys to be computed, e: the same with what each expects, d: keys whose
-- result is there), 1 if the keys ascend by their bytes, then per key: key, with e also expect
-- {OK, added, present, refused}
local b = call('HMGET', BATCH, 'inc', 'sealed')
if b[1] ~= ARGV[1] then
    return {'GONE'}
end
local what = ARGV[2]
local names = {}
for i = 4, #ARGV, what == 'e' and 2 or 1 do
    names[#names + 1] = ARGV[i]
end
local texts = call('HMGET', RECORDS, unpack(names))
local records, fresh = {}, {}
for i, key in ipairs(names) do
    if not texts[i] then
        local n = #fresh + 1
        fresh[n], records[2 * n - 1], records[2 * n] = key, key, what
        if what == 'e' then
            records[2 * n] = record_fresh(record_parse(), ARGV[2 * i + 3])
        end
    end
end
-- step: add.refuse
if b[2] == '1' then
    return {'OK', 0, #names - #fresh, #fresh}
end
-- step: add.store
local added = 0
if #fresh > 0 then
    added = call('HSET', RECORDS, unpack(records))
    call('HINCRBY', BATCH, 'total', added)
    if what == 'd' then
        call('SADD', DONE, unpack(fresh))
    else
        -- Keys of one score stand in the order of their bytes: ascending ones share one.
        local last = call('ZREVRANGE', PENDING, 0, 0, 'WITHSCORES')
        local score = tonumber(last[2] or 0) + 1
        local text, members = whole_text(score), {}
        for i, key in ipairs(fresh) do
            if ARGV[3] ~= '1' then
                text = whole_text(score + i)
            end
            members[2 * i - 1], members[2 * i] = text, key
        end
        call('ZADD', PENDING, unpack(members))
    end
end
return {'OK', added, #names - added, 0}
