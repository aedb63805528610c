-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- prelude.lua - what every script begins with: of these definitions, those that it uses (embed.py).
-- queue.c tells the layout and the protocol.
--
-- A record is one letter and ten fields, "s|a|i|e|t|y|w|b|n|m|r"; a letter alone has empty fields:
--   s state: p pending, w delayed (waits), l leased, d done, f failed
--   a attempts   i interruptions   e generation that the upload replaces
--   t token of the present or last lease
--   y leased: s once started; else why the last lease ended: e error, x expired, r released
--   w number of that lease's worker   b its begin   n how long it was held
--   m ms of work and r rows of a done key
-- A worker is "number|nonce|done|held keys", a held key that is leased alone with ! before it.
local BATCH, JSON, RECORDS, PENDING, DELAYED, LEASED, DONE, FAILED =
    KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local ERRORS, HISTORY, WORKERS, SEEN, NAMES, RATE, LOCKS =
    KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local PLACE = {p = PENDING, w = DELAYED, l = LEASED, d = DONE, f = FAILED}

local STEP = 100           -- most items that any loop touches
local SLACK_MS = 1000      -- a server's clock may step back by this much without a lease being lost
local BACKOFF_MS = 1000    -- wait after the first failed attempt; doubles
local BACKOFF_MAX_MS = 60000
local POISON = 2           -- interruptions from which on a key is leased alone
local LINEAGE = 9          -- ended leases that are kept of a key
local FORGET_MS = 600000   -- a worker not seen for so long is dropped
local NAMES_KEPT = 20000   -- so many workers may come until the name of one that is gone is dropped
local HOLD_MS = 30000      -- how long a reopened batch keeps from settling while keys are moved

local call = redis.call
-- Milliseconds, as text and as a number. Redis makes text of each number that it is given, which
-- takes as long as a command, so scripts that are called often hand it text.
local clock = call('TIME')
local now_text = clock[1] .. string.format('%03d', clock[2] / 1000)
local now = tonumber(now_text)

-- Is the batch there in this incarnation?
local function batch_is(incarnation)
    return call('HGET', BATCH, 'inc') == incarnation
end

-- The batch's settings and state, or nil when it is absent or another incarnation.
local function batch_open(incarnation)
    local v = call('HMGET', BATCH, 'inc', 'sealed', 'settled', 'paused', 'cancelled', 'lease_ms',
                   'max_attempts', 'max_interruptions', 'newest', 'settle_token', 'settle_worker',
                   'settle_deadline', 'hold', 'total', 'epoch')
    if v[1] ~= incarnation then
        return nil
    end
    return {sealed = v[2] == '1', settled = v[3] == '1', paused = v[4] == '1',
            cancelled = v[5] == '1', lease_ms = tonumber(v[6]), max_attempts = tonumber(v[7]),
            max_interruptions = tonumber(v[8]), newest = v[9] == '1', settle_token = v[10],
            settle_worker = v[11], settle_deadline = tonumber(v[12]), hold = tonumber(v[13]),
            total = tonumber(v[14]), epoch = tonumber(v[15])}
end

-- Commands that make room are always allowed; once a script has written, so are the others. So
-- that finished work can be told to a Redis whose memory is full, begin with a write of nothing.
local function allow_full_memory()
    call('HDEL', LOCKS, '')
end

-- Does a time lie in the future, but not so far that only another server's clock can have set it?
local function ahead(time, longest_ms)
    return time > now and time <= now + longest_ms + SLACK_MS
end

local function record_empty(s)
    return {s = s, a = 0, i = 0, e = '', t = '', y = '', w = '', b = '', n = '', m = '', r = ''}
end

-- A record that cannot be read has no state.
local function record_parse(text)
    if not text or #text == 1 then
        return record_empty(text or 'p')
    end
    local s, a, i, e, t, y, w, b, n, m, r = string.match(text,
        '^(%a)|(%d*)|(%d*)|([^|]*)|([^|]*)|(%a?)|(%d*)|(%d*)|(%d*)|([^|]*)|([^|]*)$')
    if not s then
        return record_empty()
    end
    return {s = s, a = tonumber(a) or 0, i = tonumber(i) or 0, e = e, t = t, y = y, w = w, b = b,
            n = n, m = m, r = r}
end

local function record_text(r)
    return r.s .. '|' .. r.a .. '|' .. r.i .. '|' .. r.e .. '|' .. r.t .. '|' .. r.y .. '|' ..
           r.w .. '|' .. r.b .. '|' .. r.n .. '|' .. r.m .. '|' .. r.r
end

-- A whole number as text.
local function whole_text(time)
    return string.format('%.0f', time)
end

-- A key that waits as if it had never been tried, but whose last token is remembered.
local function record_fresh(r, expect)
    r.s, r.a, r.i, r.e, r.y, r.n, r.m, r.r = 'p', 0, 0, expect, '', '', '', ''
    if r.t == '' and expect == '' then
        return 'p'
    end
    return record_text(r)
end

-- Put a key at the end of pending that is leased next (front), or at the other.
local function pending_put(b, key, front)
    local high = front == b.newest
    local edge = call(high and 'ZREVRANGE' or 'ZRANGE', PENDING, 0, 0, 'WITHSCORES')
    local score = tonumber(edge[2] or 0)
    call('ZADD', PENDING, high and score + 1 or score - 1, key)
end

local function place_remove(state, key)
    call(state == 'd' and 'SREM' or 'ZREM', PLACE[state], key)
end

-- Remember how a key's lease ended. The lease of a key done at once stands in its record alone.
local function lineage_add(key, r, why)
    if r.t == '' then
        return
    end
    local lines = {}
    for line in string.gmatch(call('HGET', HISTORY, key) or '', '[^\n]+') do
        lines[#lines + 1] = line
    end
    local ended = math.max(now, tonumber(r.b) or 0) -- the clock may have stepped back
    lines[#lines + 1] = r.w .. '|' .. r.t .. '|' .. r.b .. '|' .. ended .. '|' .. why
    call('HSET', HISTORY, key, table.concat(lines, '\n', math.max(1, #lines - LINEAGE + 1)))
end

local function key_fail(key, r, class, text)
    r.s = 'f'
    call('ZADD', FAILED, now, key)
    call('HSET', ERRORS, key, class .. '\n' .. text)
end

-- A lease ended without an answer about the key: charge it if work had begun, and let it wait
-- again; a key that was lost often waits behind all others.
local function key_interrupted(b, key, r, y, why)
    lineage_add(key, r, why)
    if r.y == 's' then
        r.i = r.i + 1
        call('HINCRBY', BATCH, 'interruptions', 1)
    end
    r.y = y
    if r.i > b.max_interruptions then
        key_fail(key, r, 'interrupted', 'its lease was lost or released ' .. r.i ..
                 ' times after work on it had begun; it may end its workers (memory?)')
    else
        r.s = 'p'
        pending_put(b, key, r.i < POISON)
    end
    call('HSET', RECORDS, key, record_text(r))
end

-- At most STEP members of a place whose time has come, or is too far off to be meant.
local function due(place, longest_ms)
    local keys = call('ZRANGEBYSCORE', place, '-inf', now, 'LIMIT', 0, STEP)
    if #keys < STEP then
        local far = call('ZRANGEBYSCORE', place, '(' .. now + longest_ms + SLACK_MS, '+inf',
                         'LIMIT', 0, STEP - #keys)
        for _, key in ipairs(far) do
            keys[#keys + 1] = key
        end
    end
    return keys
end

-- Every key is done or failed, and none is missing.
local function batch_finished(b)
    return b.sealed and call('ZCARD', PENDING) == 0 and call('ZCARD', DELAYED) == 0 and
           call('ZCARD', LEASED) == 0 and call('SCARD', DONE) + call('ZCARD', FAILED) == b.total
end

-- Somebody holds the settling lease, and it is not this worker.
local function settle_busy(b, worker)
    return b.settle_deadline and ahead(b.settle_deadline, b.lease_ms) and b.settle_worker ~= worker
end

-- Keys may move again unless the batch is settled or being settled without having been reopened.
local function may_move(b)
    return not b.settled and
           (b.hold and ahead(b.hold, HOLD_MS) or not settle_busy(b, false))
end

local function worker_parse(text)
    local number, nonce, done, held = string.match(text, '^(%d+)|([^|]*)|(%d+)|(.*)$')
    local w = {number = number, nonce = nonce, done = tonumber(done), held = {}}
    for key in string.gmatch(held, '%S+') do
        w.held[#w.held + 1] = key
    end
    return w
end

local function worker_save(id, w)
    call('HSET', WORKERS, id,
         w.number .. '|' .. w.nonce .. '|' .. w.done .. '|' .. table.concat(w.held, ' '))
    call('ZADD', SEEN, now_text, id)
end

-- The worker was heard of; gone: set of keys that it holds no more; done: how many it finished.
local function worker_update(id, gone, done)
    local text = call('HGET', WORKERS, id)
    if not text then
        return
    end
    local w = worker_parse(text)
    local held = {}
    for _, key in ipairs(w.held) do
        if not gone[key] and not (string.byte(key) == 33 and gone[string.sub(key, 2)]) then
            held[#held + 1] = key
        end
    end
    w.held = held
    w.done = w.done + done
    worker_save(id, w)
end
