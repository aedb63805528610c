-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- reference_lease.lua - the calls that lease.lua makes when it hands out keys at their first attempt, in the same
-- order, and no decision. The arguments and the shape of the reply are the same.
local call = redis.call
local BATCH, RECORDS, PENDING, DELAYED, LEASED = KEYS[1], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local WORKERS, SEEN, LOCKS = KEYS[11], KEYS[12], KEYS[15]
call('TIME')
call('HMGET', BATCH, 'inc', 'settled', 'cancelled', 'paused', 'lease_ms', 'newest')
call('HDEL', LOCKS, '')
call('HGET', WORKERS, ARGV[2])
call('ZRANGE', LEASED, '0', '0', 'WITHSCORES')
call('ZRANGE', DELAYED, '0', '0', 'WITHSCORES')
local names = call('ZRANGE', PENDING, '0', ARGV[5] - 1)
local leased, changed, reply = {}, {}, {'OK', 600000}
for i, key in ipairs(names) do
    leased[2 * i - 1], leased[2 * i] = '1700000000000', key
    changed[2 * i - 1], changed[2 * i] = key, 'l|0|0||1000000-0123456789ab||1|1700000000000|||'
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = key, '1000000-0123456789ab', ''
end
call('HMGET', RECORDS, unpack(names))
call('ZREMRANGEBYRANK', PENDING, '0', #names - 1)
call('HINCRBY', BATCH, 'seq', '1')
call('ZADD', LEASED, unpack(leased))
call('HSET', RECORDS, unpack(changed))
call('HSET', WORKERS, ARGV[2], '1|0123456789ab|0|' .. table.concat(names, ' '))
call('ZADD', SEEN, '1700000000000', ARGV[2])
return reply
