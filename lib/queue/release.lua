-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- release.lua - give leases back without an answer about their keys.
-- ARGV: incarnation, worker, then per key: key, token, 1 if work on it has begun
-- {OK, then an answer per key}
local b = batch_open(ARGV[1])
if not b then
    return {'GONE'}
end
local names, gone = {}, {}
for i = 3, #ARGV, 3 do
    names[#names + 1] = ARGV[i]
end
local texts = call('HMGET', RECORDS, unpack(names))
allow_full_memory()

-- step: release.move
local reply = {'OK'}
for i, key in ipairs(names) do
    local r = record_parse(texts[i])
    local token, begun = ARGV[3 * i + 1], ARGV[3 * i + 2] == '1'
    gone[key] = true
    if r.s == 'l' and r.t == token then
        call('ZREM', LEASED, key)
        if not begun then -- though it was to begin with its lease
            r.y = ''
        end
        key_interrupted(b, key, r, 'r', 'released')
        reply[#reply + 1] = 'OK'
    elseif r.t == token and r.y == 'r' then
        reply[#reply + 1] = 'ALREADY'
    else
        gone[key] = r.s ~= 'l' or nil
        reply[#reply + 1] = 'STALE'
    end
end
worker_update(ARGV[2], gone, 0)
return reply
