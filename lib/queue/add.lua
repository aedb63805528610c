-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- add.lua - more keys for a batch that is not sealed.
-- ARGV: incarnation, what (p: keys to be computed, e: the same with what each expects, d: keys whose
-- result is there), 1 if the keys ascend by their bytes, who adds ('' if keys may come twice), how
-- many keys it has added before, then per key: key, with e also expect
-- {OK, added, present, refused}
--
-- To ask which keys are there already takes a fifth of the time. Not so for an adder that knows its
-- keys to be all different, as long as every key of the batch is its own: the first was, nobody
-- else came since, and they are as many as it says.
local b = call('HMGET', BATCH, 'inc', 'adder', 'total')
if b[1] ~= ARGV[1] then
    return {'GONE'}
end
local what, adder = ARGV[2], ARGV[4]
local names, expect = {unpack(ARGV, 6)}, {}
if what == 'e' then
    names = {}
    for i = 6, #ARGV, 2 do
        names[#names + 1], expect[#names + 1] = ARGV[i], ARGV[i + 1]
    end
end
local fresh = names
if adder == '' or b[2] ~= adder or b[3] ~= ARGV[5] then
    -- rarely:
    local texts = call('HMGET', RECORDS, unpack(names))
    local wanted = {}
    fresh = {}
    for i, key in ipairs(names) do
        if not texts[i] then
            fresh[#fresh + 1], wanted[#wanted + 1] = key, expect[i]
        end
    end
    expect = wanted
    -- step: add.refuse
    if call('HGET', BATCH, 'sealed') == '1' then
        return {'OK', 0, #names - #fresh, #fresh}
    end
    if b[2] ~= adder then
        local first = adder ~= '' and call('HLEN', RECORDS) == 0
        call('HSET', BATCH, 'adder', first and adder or '')
    end
    -- end
end
-- step: add.store
local n = #fresh
if n == 0 then
    return {'OK', 0, #names, 0}
end
local records = {unpack({}, 1, 2 * n)} -- as long as they will be
for i = 1, n do
    records[2 * i - 1], records[2 * i] = fresh[i], what
end
if what == 'e' then
    -- rarely:
    for i = 1, n do
        records[2 * i] = record_fresh(record_parse(), expect[i])
    end
    -- end
end
local added = call('HSET', RECORDS, unpack(records))
call('HINCRBY', BATCH, 'total', added)
if what == 'd' then
    call('SADD', DONE, unpack(fresh))
else
    -- Keys of one score stand in the order of their bytes: ascending ones share one.
    local last = call('ZREVRANGE', PENDING, '0', '0', 'WITHSCORES')
    local score = tonumber(last[2] or 0) + 1
    local text, same = whole_text(score), ARGV[3] == '1'
    for i = 1, n do
        records[2 * i - 1], records[2 * i] = same and text or whole_text(score + i), fresh[i]
    end
    call('ZADD', PENDING, unpack(records))
end
return {'OK', added, #names - added, 0}
