-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- fsck.lua - compare records with places; confirm and mend each finding here and now.
-- ARGV: incarnation, 1 to repair, what (records, strays, count), then at most 20 keys
-- {OK, then per finding: key, what is wrong, 1 if it was mended}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
local repair = ARGV[2] == '1'
if repair then
    call('HSET', BATCH, 'adder', '') -- add.lua is to look again
end
local NAME = {p = 'pending', w = 'delayed', l = 'leased', d = 'done', f = 'failed'}
local reply = {'OK'}

local function found(key, what, mended)
    reply[#reply + 1] = key
    reply[#reply + 1] = what
    reply[#reply + 1] = mended and 1 or 0
end

-- A finding about a key that belongs into this state; is it to be mended? Not where a settled batch
-- would get a key that waits: workers of a settled batch leave, and `_SUCCESS`, which would have to
-- go first, is in the store. Reconcile reaches both.
local function found_key(key, what, state)
    local stays = b.settled and state ~= 'd' and state ~= 'f'
    if stays then
        what = what .. '; the batch is settled: reconcile takes it up again'
    end
    found(key, what, repair and not stays)
    return repair and not stays
end

local function places_of(key)
    local list = {}
    for _, s in ipairs({'p', 'w', 'l', 'f'}) do
        if call('ZSCORE', PLACE[s], key) then
            list[#list + 1] = s
        end
    end
    if call('SISMEMBER', DONE, key) == 1 then
        list[#list + 1] = 'd'
    end
    return list
end

-- step: fsck.place
-- The record is right. A key recorded as leased that no deadline takes back waits again.
local function mend(key, r, places)
    for _, s in ipairs(places) do
        if s ~= r.s then
            place_remove(s, key)
        end
    end
    if r.s == 'd' then
        call('SADD', DONE, key)
    elseif call('ZSCORE', PLACE[r.s], key) then
        return
    elseif r.s == 'l' then
        key_interrupted(b, key, r, 'x', 'expired')
    elseif r.s == 'p' then
        pending_put(b, key, false)
    else
        call('ZADD', PLACE[r.s], now, key)
    end
end

local function check_record(key)
    local text = call('HGET', RECORDS, key)
    if not text then
        return
    end
    local r = record_parse(text)
    if not PLACE[r.s or ''] then
        local places = places_of(key)
        r = record_parse()
        r.s = #places == 1 and places[1] == 'd' and 'd' or 'p'
        if found_key(key, 'its record cannot be read', r.s) then
            call('HSET', RECORDS, key, r.s)
            mend(key, r, places)
        end
        return
    end
    local places, names = places_of(key), {}
    for i, s in ipairs(places) do
        names[i] = NAME[s]
    end
    if #places ~= 1 or places[1] ~= r.s then
        local where = #names > 0 and table.concat(names, ' and ') or 'no place'
        if found_key(key, 'recorded as ' .. NAME[r.s] .. ', but found in ' .. where, r.s) then
            mend(key, r, places)
        end
    end
end

-- step: fsck.stray
local function check_stray(key)
    if call('HEXISTS', RECORDS, key) == 1 then
        return
    end
    local places = places_of(key)
    if #places == 0 then
        return
    end
    local r = record_parse()
    r.s = places[1] == 'd' and 'd' or 'p'
    if found_key(key, 'found in ' .. NAME[places[1]] .. ', but it has no record', r.s) then
        call('HSET', RECORDS, key, r.s)
        mend(key, r, places)
    end
end

-- step: fsck.count
-- A sealed batch has as many keys as it counts: fewer records are lost ones, and a smaller count
-- would hide them. Before, sealing compares.
local function check_count()
    local records = call('HLEN', RECORDS)
    local sum = call('ZCARD', PENDING) + call('ZCARD', DELAYED) + call('ZCARD', LEASED) +
                call('SCARD', DONE) + call('ZCARD', FAILED)
    if records ~= b.total then
        local lost = b.sealed and records < b.total
        found('', 'the batch counts ' .. b.total .. ' keys, but has ' .. records .. ' key records' ..
              (lost and '; reconcile brings back those that are missing' or ''), repair and not lost)
        if repair and not lost then
            call('HSET', BATCH, 'total', records)
        end
    end
    if records ~= sum then
        found('', records .. ' key records, but ' .. sum ..
              ' keys pending, delayed, leased, done or failed', false)
    end
end

if ARGV[3] == 'count' then
    check_count()
else
    for i = 4, #ARGV do
        (ARGV[3] == 'records' and check_record or check_stray)(ARGV[i])
    end
end
return reply
