-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- lease.lua - hand out up to max keys.
-- ARGV: incarnation, worker, pod, node, max, nonce of this call, random number below 1000
-- {OK, lease_ms, then per key: key, token, expect, attempts, interruptions} or {answer, wait_ms}
local worker, nonce = ARGV[2], ARGV[6]
local jitter = tonumber(ARGV[7]) / 1000
local long_wait = math.floor(500 + 500 * jitter)

local b = batch_open(ARGV[1])
if not b then
    return {'GONE', 0}
end
-- step: lease.settled
if b.settled then
    return {'SETTLED', 0}
end
if b.cancelled then
    return {'CANCELLED', 0}
end

local function worker_open()
    local text = call('HGET', WORKERS, worker)
    if text then
        return worker_parse(text)
    end
    local old = call('ZRANGEBYSCORE', SEEN, '-inf', now - FORGET_MS, 'LIMIT', 0, STEP)
    if #old > 0 then
        call('ZREM', SEEN, unpack(old))
        call('HDEL', WORKERS, unpack(old))
    end
    local number = call('HINCRBY', BATCH, 'workers', 1)
    call('HSET', NAMES, number, worker .. '|' .. ARGV[3] .. '|' .. ARGV[4])
    return {number = tostring(number), nonce = '', done = 0, held = {}}
end

-- Keep of the held keys only those whose records say so; their names and records.
local function worker_check(w)
    local names = {}
    for i, key in ipairs(w.held) do
        names[i] = string.gsub(key, '^!', '')
    end
    if #names == 0 then
        return names, {}
    end
    local texts = call('HMGET', RECORDS, unpack(names))
    local held, keys, records = {}, {}, {}
    for i, name in ipairs(names) do
        local r = record_parse(texts[i])
        if r.s == 'l' and r.w == w.number then
            held[#held + 1], keys[#keys + 1], records[#records + 1] = w.held[i], name, r
        end
    end
    w.held = held
    return keys, records
end

local function reply_add(reply, key, token, r)
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5] = key, token, r.e, r.a, r.i
end

allow_full_memory()
local w = worker_open()

-- step: lease.repeated
-- The answer to this very call was lost: give the same keys once more, and nothing else.
if w.nonce == nonce then
    local keys, records = worker_check(w)
    local reply = {'OK', b.lease_ms}
    for i, key in ipairs(keys) do
        if string.sub(records[i].t, -#nonce) == nonce then
            call('ZADD', LEASED, now + b.lease_ms, key)
            reply_add(reply, key, records[i].t, records[i])
        end
    end
    if #reply == 2 then
        return {'EMPTY', 0}
    end
    return reply
end
w.nonce = nonce

-- step: lease.paused
if b.paused and not batch_finished(b) then
    worker_save(worker, w)
    return {'PAUSED', long_wait}
end

-- step: lease.take_back
local lost = due(LEASED, b.lease_ms)
if #lost > 0 then
    call('ZREM', LEASED, unpack(lost))
    local texts = call('HMGET', RECORDS, unpack(lost))
    for i, key in ipairs(lost) do
        local r = record_parse(texts[i])
        if r.s == 'l' or not texts[i] then
            key_interrupted(b, key, r, 'x', r.y == 's' and 'interrupted' or 'expired')
        end
    end
end

-- step: lease.promote
local ready = due(DELAYED, BACKOFF_MAX_MS)
if #ready > 0 then
    call('ZREM', DELAYED, unpack(ready))
    local texts = call('HMGET', RECORDS, unpack(ready))
    for i, key in ipairs(ready) do
        local r = record_parse(texts[i])
        if r.s == 'w' or not texts[i] then
            r.s = 'p'
            pending_put(b, key, r.i < POISON)
            call('HSET', RECORDS, key, record_text(r))
        end
    end
end

-- step: lease.bound
local want = math.min(tonumber(ARGV[5]), STEP)
local alone = false
for _, key in ipairs(w.held) do
    alone = alone or string.sub(key, 1, 1) == '!'
end
if alone or #w.held + want > STEP then
    worker_check(w)
    alone = false
    for _, key in ipairs(w.held) do
        alone = alone or string.sub(key, 1, 1) == '!'
    end
    want = alone and 0 or math.min(want, STEP - #w.held)
end

-- step: lease.pop
-- Keys that are leased alone go back unless they come first and the worker holds nothing.
local FRESH = record_parse('p') -- most keys are; none of them changes it
local chosen, records = {}, {}
if want > 0 then
    local popped = call(b.newest and 'ZPOPMAX' or 'ZPOPMIN', PENDING, want)
    local names = {}
    for i = 1, #popped, 2 do
        names[#names + 1] = popped[i]
    end
    local texts = #names > 0 and call('HMGET', RECORDS, unpack(names)) or {}
    for i, key in ipairs(names) do
        local text = texts[i]
        local r = text == 'p' and FRESH or record_parse(text)
        if r.s == 'p' then
            local poison = r.i >= POISON
            if poison and #chosen == 0 and not alone and #w.held > 0 then
                worker_check(w)
            end
            if alone or (poison and (#chosen > 0 or #w.held > 0)) then
                call('ZADD', PENDING, popped[2 * i], key)
            else
                chosen[#chosen + 1], records[#records + 1] = key, r
                alone = poison
            end
        end
    end
end

-- step: lease.grant
if #chosen > 0 then
    local sequence = call('HINCRBY', BATCH, 'seq', #chosen) - #chosen
    local reply, leased, changed = {'OK', b.lease_ms}, {}, {}
    local deadline = time_text(now + b.lease_ms)
    local random, tail = '-' .. nonce, '||' .. w.number .. '|' .. now .. '|||'
    for i, key in ipairs(chosen) do
        local r, token = records[i], sequence + i .. random
        leased[2 * i - 1], leased[2 * i] = deadline, key
        changed[2 * i - 1] = key
        changed[2 * i] = 'l|' .. r.a .. '|' .. r.i .. '|' .. r.e .. '|' .. token .. tail
        reply_add(reply, key, token, r)
        w.held[#w.held + 1] = alone and '!' .. key or key
    end
    call('ZADD', LEASED, unpack(leased))
    call('HSET', RECORDS, unpack(changed))
    worker_save(worker, w)
    return reply
end
worker_save(worker, w)

-- step: lease.finished
if batch_finished(b) and not (b.hold and ahead(b.hold, HOLD_MS)) and not settle_busy(b, worker) then
    return {'SETTLE', 0}
end

-- step: lease.wait
-- Look again when the next key can come back, all workers at different moments, within a second.
local wait = 1000
for _, place in ipairs({DELAYED, LEASED}) do
    local first = call('ZRANGE', place, 0, 0, 'WITHSCORES')
    if first[2] then
        wait = math.min(wait, tonumber(first[2]) - now)
    end
end
if wait >= 1000 then
    return {'EMPTY', long_wait}
end
wait = math.max(wait, 0)
return {'EMPTY', math.floor(wait + 5 + (995 - wait) * jitter / 4)}
