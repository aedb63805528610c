-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- renew.lua - hold leases for another lease time.
-- ARGV: incarnation, worker, then per key: key, token, 1 if work on it has begun
-- {OK, lease_ms, then an answer per key}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
if b.cancelled then
    return {'CANCELLED'}
end
local names = {}
for i = 3, #ARGV, 3 do
    names[#names + 1] = ARGV[i]
end
local texts = call('HMGET', RECORDS, unpack(names))
allow_full_memory()

-- step: renew.check
local reply, leased, changed = {'OK', b.lease_ms}, {}, {}
local deadline = whole_text(now + b.lease_ms)
for i, key in ipairs(names) do
    local r = record_parse(texts[i])
    if r.s == 'l' and r.t == ARGV[3 * i + 1] then
        leased[#leased + 1] = deadline
        leased[#leased + 1] = key
        if ARGV[3 * i + 2] == '1' and r.y ~= 's' then
            r.y = 's'
            changed[#changed + 1] = key
            changed[#changed + 1] = record_text(r)
        end
        reply[#reply + 1] = 'OK'
    else
        reply[#reply + 1] = 'STALE'
    end
end

-- step: renew.extend
if #leased > 0 then
    call('ZADD', LEASED, unpack(leased))
end
if #changed > 0 then
    call('HSET', RECORDS, unpack(changed))
end
call('ZADD', SEEN, 'XX', now, ARGV[2])
return reply
