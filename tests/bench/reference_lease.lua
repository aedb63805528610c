-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- reference_lease.lua - the calls that lease.lua makes when it hands out keys at their first attempt, in the same
-- order, and no decision. The arguments and the shape of the reply are the same.
local call = redis.call
local BATCH, RECORDS, PENDING, DELAYED, LEASED = KEYS[1], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local WORKERS, SEEN, LOCKS = KEYS[11], KEYS[12], KEYS[15]
call('TIME')
call('HMGET', BATCH, 'inc', 'sealed', 'settled', 'paused', 'cancelled', 'lease_ms', 'max_attempts', 'max_interruptions',
     'newest', 'settle_token', 'settle_worker', 'settle_deadline', 'hold', 'total', 'epoch')
call('HDEL', LOCKS, '')
call('HGET', WORKERS, ARGV[2])
call('ZRANGEBYSCORE', LEASED, '-inf', 1700000000000, 'LIMIT', 0, 100)
call('ZRANGEBYSCORE', LEASED, 2700000000000, '+inf', 'LIMIT', 0, 100)
call('ZRANGEBYSCORE', DELAYED, '-inf', 1700000000000, 'LIMIT', 0, 100)
call('ZRANGEBYSCORE', DELAYED, 2700000000000, '+inf', 'LIMIT', 0, 100)
local popped = call('ZPOPMIN', PENDING, ARGV[5])
local names, leased, changed, reply = {}, {}, {}, {'OK', 600000}
for i = 1, #popped, 2 do
    local key = popped[i]
    names[#names + 1] = key
    leased[#leased + 1] = '1700000000000'
    leased[#leased + 1] = key
    changed[#changed + 1] = key
    changed[#changed + 1] = 'l|0|0||1000000-0123456789ab||1|1700000000000|||'
    reply[#reply + 1] = key
    reply[#reply + 1] = '1000000-0123456789ab'
    reply[#reply + 1] = ''
    reply[#reply + 1] = 0
    reply[#reply + 1] = 0
end
call('HMGET', RECORDS, unpack(names))
call('HINCRBY', BATCH, 'seq', #names)
call('ZADD', LEASED, unpack(leased))
call('HSET', RECORDS, unpack(changed))
call('HSET', WORKERS, ARGV[2], '1|0123456789ab|0|' .. table.concat(names, ' '))
call('ZADD', SEEN, 1700000000000, ARGV[2])
return reply
