-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- done.lua - the results of these keys are in the store.
-- ARGV: incarnation, worker, then per key: key, token, ms of work, rows
-- {OK, then an answer per key}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
local names = {}
for i = 3, #ARGV, 4 do
    names[#names + 1] = ARGV[i]
end
local texts = call('HMGET', RECORDS, unpack(names))
allow_full_memory()

-- step: done.check
local reply, done, changed, gone = {'OK'}, {}, {}, {}
for i, key in ipairs(names) do
    local s, tries, token, worker, began = string.match(texts[i] or '',
        '^(%a)|(%d*|%d*)|[^|]*|([^|]*)|%a?|(%d*)|(%d*)|')
    local mine = token == ARGV[4 * i]
    gone[key] = true
    if s == 'l' and mine then
        done[#done + 1] = key
        changed[#changed + 1] = key
        changed[#changed + 1] = 'd|' .. tries .. '||' .. token .. '||' .. worker .. '|' .. began ..
                                '|' .. now - began .. '|' .. ARGV[4 * i + 1] .. '|' ..
                                ARGV[4 * i + 2]
        reply[#reply + 1] = 'OK'
    elseif s == 'd' and mine then
        reply[#reply + 1] = 'ALREADY'
    else
        gone[key] = s ~= 'l' or nil
        reply[#reply + 1] = 'STALE'
    end
end

-- step: done.move
if #done > 0 then
    call('ZREM', LEASED, unpack(done))
    call('SADD', DONE, unpack(done))
    call('HSET', RECORDS, unpack(changed))
    local slot = math.floor(now / 10000)
    if call('HINCRBY', RATE, slot, #done) == #done then
        for _, old in ipairs(call('HKEYS', RATE)) do
            if tonumber(old) < slot - 7 or tonumber(old) > slot then
                call('HDEL', RATE, old)
            end
        end
    end
end
worker_update(ARGV[2], gone, #done)
return reply
