-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- move.lua - keys change their place, each only if its state and token are still what was read.
-- ARGV: incarnation, then per key: key, state letter, token, p or d, expect; state and token empty:
-- there was no record, or none that can be read
-- {OK, then 1 or 0 per key}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
if b.cancelled then
    return {'CANCELLED'}
end
if not may_move(b) then
    return {'BUSY'}
end
local names = {}
for i = 2, #ARGV, 5 do
    names[#names + 1] = ARGV[i]
end
local texts = #names > 0 and call('HMGET', RECORDS, unpack(names)) or {}
-- step: move.compare
local reply, restored = {'OK'}, false
for i, key in ipairs(names) do
    local state, token, to, expect = unpack(ARGV, 5 * i - 2, 5 * i + 1)
    local r = record_parse(texts[i])
    local lost = not texts[i] or not PLACE[r.s or '']
    local moved = 0
    if (lost and state ~= '') or r.t ~= token then
        moved = 0
    elseif not lost and r.s ~= state then
        moved = r.s == to and 1 or 0 -- the answer to this very move was lost
    else
        -- step: move.place
        moved = 1
        if lost then
            for s in pairs(PLACE) do
                place_remove(s, key)
            end
            r, restored = record_parse(), true
        else
            place_remove(state, key)
        end
        if state == 'l' then
            lineage_add(key, r, 'moved')
        elseif state == 'd' then
            lineage_add(key, r, 'done')
        end
        if to == 'd' then
            r.s, r.e, r.y = 'd', '', ''
            call('SADD', DONE, key)
            call('HSET', RECORDS, key, record_text(r))
        else
            pending_put(b, key, false)
            call('HSET', RECORDS, key, record_fresh(r, expect))
        end
    end
    reply[#reply + 1] = moved
end
-- What was counted when it was added is there again; a smaller count was made without it.
if restored then
    call('HSET', BATCH, 'total', math.max(b.total, call('HLEN', RECORDS)))
end
if b.hold then
    call('HSET', BATCH, 'hold', now + HOLD_MS)
end
return reply
