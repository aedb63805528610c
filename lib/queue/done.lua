-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- done.lua - the results of these keys are in the store.
-- ARGV: incarnation, worker, then per key: key, token, ms of work, rows
-- {OK}: all of them are done now; else {OK, then an answer per key}
if call('HGET', BATCH, 'inc') ~= ARGV[1] then
    return {'GONE'}
end
local names = {}
for i = 3, #ARGV, 4 do
    names[#names + 1] = ARGV[i]
end
local texts = call('HMGET', RECORDS, unpack(names))
call('HDEL', LOCKS, '') -- as allow_full_memory does

-- step: done.check
-- A record is cut at its token. Before it and behind it the records of one lease call are alike, so
-- that most of the work is done once; what is no record of a lease has no entry in these tables.
local heads, tails, done, changed, answers = {}, {}, {}, {}, {}
local find, sub, match = string.find, string.sub, string.match
for i, key in ipairs(names) do
    local text, token = texts[i] or '', ARGV[4 * i]
    local at, to = find(text, token, 1, true)
    local before, behind = sub(text, 1, (at or 1) - 1), sub(text, (to or 0) + 1)
    local head, tail = heads[before], tails[behind]
    if head == nil then
        head = match(before, '^l(|%d*|%d*|)[^|]*|$')
        head = head and 'd' .. head .. '|'
        heads[before] = head or false
    end
    if tail == nil then
        local lease, began = match(behind, '^|%a?(|%d*|(%d+)|)')
        tail = lease and '|' .. lease .. math.max(0, now - began) .. '|' -- a clock may step back
        tails[behind] = tail or false
    end
    if head and tail and token ~= '' then
        local n = #done + 1
        done[n], changed[2 * n - 1] = key, key
        changed[2 * n] = head .. token .. tail .. ARGV[4 * i + 1] .. '|' .. ARGV[4 * i + 2]
        answers[i] = 'OK'
    else
        answers[i] = match(before, '^d|.*|$') and find(behind, '|', 1, true) == 1 and token ~= '' and
                     'ALREADY' or 'STALE'
    end
end

-- step: done.move
if #done > 0 then
    call('ZREM', LEASED, unpack(done))
    call('SADD', DONE, unpack(done))
    call('HSET', RECORDS, unpack(changed))
    local slot = sub(clock[1], 1, -2) -- of ten seconds
    if call('HINCRBY', RATE, slot, #done) == #done then
        for _, old in ipairs(call('HKEYS', RATE)) do
            if tonumber(old) < slot - 7 or tonumber(old) > tonumber(slot) then
                call('HDEL', RATE, old)
            end
        end
    end
end

-- A worker that tells of all that it holds holds nothing; else the keys that are its own no more are
-- taken out of its list.
local text = call('HGET', WORKERS, ARGV[2])
local number, nonce, before, held = string.match(text or '', '^(%d+|)([^|]*|)(%d+)|(.*)$')
if number and held == table.concat(done, ' ') then
    call('HSET', WORKERS, ARGV[2], number .. nonce .. before + #done .. '|')
    call('ZADD', SEEN, now_text, ARGV[2])
else
    -- rarely:
    local gone = {}
    for i, key in ipairs(names) do
        gone[key] = answers[i] ~= 'STALE' or string.sub(texts[i] or '', 1, 1) ~= 'l' or nil
    end
    worker_update(ARGV[2], gone, #done)
    -- end
end
if #done == #names then
    return {'OK'}
end
return {'OK', unpack(answers)}
