-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- lease.lua - hand out up to max keys.
-- ARGV: incarnation, worker, pod, node, max, nonce of this call, 's' if work on the first key begins at once
-- {OK, lease_ms, then per key: key, token, expect|attempts|interruptions ('' for none of each)} or
-- {answer, ms until there may be more (at most 1000; 0: at once)}
local worker, nonce = ARGV[2], ARGV[6]

local v = call('HMGET', BATCH, 'inc', 'settled', 'cancelled', 'paused', 'lease_ms', 'newest')
if v[1] ~= ARGV[1] then
    return {'GONE', 0}
end
-- step: lease.settled
if v[2] == '1' then
    return {'SETTLED', 0}
end
if v[3] == '1' then
    return {'CANCELLED', 0}
end
local lease_ms, newest, paused = tonumber(v[5]), v[6] == '1', v[4] == '1'

call('HDEL', LOCKS, '') -- as allow_full_memory does
local text = call('HGET', WORKERS, worker)
local number, last, finished, held = string.match(text or '', '^(%d+)|([^|]*)|(%d+)|(.*)$')
if not number then
    -- rarely:
    local old = call('ZRANGEBYSCORE', SEEN, '-inf', now - FORGET_MS, 'LIMIT', 0, STEP)
    if #old > 0 then
        call('ZREM', SEEN, unpack(old))
        call('HDEL', WORKERS, unpack(old))
    end
    number, last, finished, held = tostring(call('HINCRBY', BATCH, 'workers', 1)), '', '0', ''
    call('HSET', NAMES, number, worker .. '|' .. ARGV[3] .. '|' .. ARGV[4])
    -- A name outlives its worker, whose number stands in records. It goes NAMES_KEPT workers
    -- later, or, if its worker is still there then, so many later again.
    local early = {}
    for n = number - NAMES_KEPT, math.max(1, number - STEP * NAMES_KEPT), -NAMES_KEPT do
        early[#early + 1] = n
    end
    for i, name in ipairs(#early > 0 and call('HMGET', NAMES, unpack(early)) or {}) do
        if name and call('HEXISTS', WORKERS, string.match(name, '^[^|]*')) == 0 then
            call('HDEL', NAMES, early[i])
        end
    end
    -- end
end

-- Keep of the held keys only those whose records say so; their names and records.
local function worker_check()
    -- rarely:
    local names, marks = {}, {}
    for mark, name in string.gmatch(held, '(!?)(%S+)') do
        names[#names + 1], marks[#marks + 1] = name, mark
    end
    local texts = #names > 0 and call('HMGET', RECORDS, unpack(names)) or {}
    local kept, keys, records = {}, {}, {}
    for i, name in ipairs(names) do
        local r = record_parse(texts[i])
        if r.s == 'l' and r.w == number then
            kept[#kept + 1], keys[#keys + 1], records[#records + 1] = marks[i] .. name, name, r
        end
    end
    held = table.concat(kept, ' ')
    return keys, records
    -- end
end

-- step: lease.repeated
-- The answer to this very call was lost: give the same keys once more, and nothing else.
if last == nonce then
    local keys, records = worker_check()
    local reply = {'OK', lease_ms}
    for i, key in ipairs(keys) do
        local r = records[i]
        if string.sub(r.t, -#nonce) == nonce then
            call('ZADD', LEASED, now + lease_ms, key)
            reply[#reply + 1] = key
            reply[#reply + 1] = r.t
            reply[#reply + 1] = r.e .. '|' .. r.a .. '|' .. r.i
        end
    end
    if #reply == 2 then
        return {'EMPTY', 0}
    end
    return reply
end

-- step: lease.paused
if paused then
    -- rarely:
    if not batch_finished(batch_open(ARGV[1])) then
        call('HSET', WORKERS, worker, number .. '|' .. nonce .. '|' .. finished .. '|' .. held)
        call('ZADD', SEEN, now_text, worker)
        return {'PAUSED', 1000}
    end
    -- end
end

-- What is due stands at the first ends of leased and delayed. Their last ends, where a time may be
-- too far off to be meant, are looked at when too few keys are pending.
local want = math.min(tonumber(ARGV[5]), STEP)
local alone = false -- this worker holds a key that it is to hold alone
local moved = false -- keys came back
local names, soon   -- the keys that come first, and when the next one can come back
for pass = 1, 2 do
    local at = pass == 1 and '0' or '-1'
    local back = tonumber(call('ZRANGE', LEASED, at, at, 'WITHSCORES')[2])
    local ready = tonumber(call('ZRANGE', DELAYED, at, at, 'WITHSCORES')[2])

    -- step: lease.take_back
    if back and (back <= now or back > now + lease_ms + SLACK_MS) then
        -- rarely:
        local b = batch_open(ARGV[1])
        local lost = due(LEASED, lease_ms)
        call('ZREM', LEASED, unpack(lost))
        local texts = call('HMGET', RECORDS, unpack(lost))
        for i, key in ipairs(lost) do
            local r = record_parse(texts[i])
            if r.s == 'l' or not texts[i] then
                key_interrupted(b, key, r, 'x', r.y == 's' and 'interrupted' or 'expired')
            end
        end
        moved = true
        -- end
    end

    -- step: lease.promote
    if ready and (ready <= now or ready > now + BACKOFF_MAX_MS + SLACK_MS) then
        -- rarely:
        local come = due(DELAYED, BACKOFF_MAX_MS)
        call('ZREM', DELAYED, unpack(come))
        local texts = call('HMGET', RECORDS, unpack(come))
        for i, key in ipairs(come) do
            local r = record_parse(texts[i])
            if r.s == 'w' or not texts[i] then
                r.s = 'p'
                pending_put({newest = newest}, key, r.i < POISON)
                call('HSET', RECORDS, key, record_text(r))
            end
        end
        moved = true
        -- end
    end

    -- step: lease.bound
    if pass == 1 and held ~= '' then
        local _, n = string.gsub(held, '%S+', '')
        alone = string.find(held, '!', 1, true)
        if alone or n + want > STEP then
            n = #worker_check()
            alone = string.find(held, '!', 1, true)
            want = alone and 0 or math.min(want, STEP - n)
        end
    end

    if want == 0 then
        names = {}
    elseif pass == 1 or moved then
        names = call(newest and 'ZREVRANGE' or 'ZRANGE', PENDING, '0', want - 1)
    end
    if pass == 1 then
        soon = back and ready and math.min(back, ready) or back or ready
    end
    if #names >= want then
        break
    end
end

-- step: lease.pop
-- Most keys have never been tried and need no thought. One that is to be leased alone stays pending
-- unless it comes first and the worker holds nothing; one that is elsewhere by its record goes.
local texts = #names > 0 and call('HMGET', RECORDS, unpack(names)) or {}
local chosen, tried, gone = {}, {}, {}
for i, key in ipairs(names) do
    if texts[i] == 'p' then
        chosen[#chosen + 1], gone[#gone + 1] = key, key
    else
        -- rarely:
        local r = record_parse(texts[i])
        local poison = r.i >= POISON
        if poison and #chosen == 0 and held ~= '' then
            worker_check()
        end
        if r.s ~= 'p' then
            gone[#gone + 1] = key
        elseif not poison or (#chosen == 0 and held == '') then
            chosen[#chosen + 1], gone[#gone + 1], tried[key] = key, key, r
            alone = poison
        end
        -- end
    end
    if alone then
        break
    end
end
if #gone == #names and #gone > 0 then
    call('ZREMRANGEBYRANK', PENDING, newest and -#gone or '0', newest and '-1' or #gone - 1)
elseif #gone > 0 then
    call('ZREM', PENDING, unpack(gone))
end

-- step: lease.grant
local reply
if #chosen > 0 then
    -- A token's number is the call's, and two digits for the key's place in it.
    local places = '0001020304050607080910111213141516171819202122232425262728293031323334' ..
                   '3536373839404142434445464748495051525354555657585960616263646566676869' ..
                   '707172737475767778798081828384858687888990919293949596979899'
    local sequence = call('HINCRBY', BATCH, 'seq', '1')
    local leased, changed = {}, {}
    local deadline = string.format('%.0f', now + lease_ms)
    reply = {'OK', lease_ms}
    local random, tail = '-' .. nonce, '|' .. number .. '|' .. now_text .. '|||'
    local begun = '|' .. ARGV[7]
    local sub = string.sub
    sequence = sequence .. ''
    for i, key in ipairs(chosen) do
        local token = sequence .. sub(places, 2 * i - 1, 2 * i) .. random
        local n, r = 2 * i, tried[key]
        leased[n - 1], leased[n], changed[n - 1] = deadline, key, key
        n = #reply
        reply[n + 1], reply[n + 2] = key, token
        if r then
            changed[2 * i] = 'l|' .. r.a .. '|' .. r.i .. '|' .. r.e .. '|' .. token .. begun .. tail
            reply[n + 3] = r.e .. '|' .. r.a .. '|' .. r.i
        else
            changed[2 * i] = 'l|0|0||' .. token .. begun .. tail
            reply[n + 3] = ''
        end
        begun = '|'
    end
    call('ZADD', LEASED, unpack(leased))
    call('HSET', RECORDS, unpack(changed))
    local more = (alone and '!' or '') .. table.concat(chosen, ' ')
    held = held == '' and more or held .. ' ' .. more
end
call('HSET', WORKERS, worker, number .. '|' .. nonce .. '|' .. finished .. '|' .. held)
call('ZADD', SEEN, now_text, worker)
if reply then
    return reply
end

-- step: lease.finished
if moved or not soon then
    -- rarely:
    local b = batch_open(ARGV[1])
    if batch_finished(b) and not (b.hold and ahead(b.hold, HOLD_MS)) and
       not settle_busy(b, worker) then
        return {'SETTLE', 0}
    end
    -- end
end

-- step: lease.wait
-- When the next key can come back, or within a second.
return {'EMPTY', math.min(math.max(soon and soon - now or 1000, 1), 1000)}
