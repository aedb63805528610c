-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- reference_done.lua - the calls that done.lua makes when all leases are held, in the same order, and no decision.
local call = redis.call
local BATCH, RECORDS, LEASED, DONE = KEYS[1], KEYS[3], KEYS[6], KEYS[7]
local WORKERS, SEEN, RATE, LOCKS = KEYS[11], KEYS[12], KEYS[14], KEYS[15]
call('TIME')
call('HGET', BATCH, 'inc')
local names, changed = {}, {}
for i = 3, #ARGV, 4 do
    names[#names + 1] = ARGV[i]
    changed[#changed + 1] = ARGV[i]
    changed[#changed + 1] = 'd|0|0||1000000-0123456789ab||1|1700000000000|1|1|1'
end
call('HMGET', RECORDS, unpack(names))
call('HDEL', LOCKS, '')
call('ZREM', LEASED, unpack(names))
call('SADD', DONE, unpack(names))
call('HSET', RECORDS, unpack(changed))
call('HINCRBY', RATE, '170000000', #names)
call('HGET', WORKERS, ARGV[2])
call('HSET', WORKERS, ARGV[2], '1|0123456789ab|1000|')
call('ZADD', SEEN, '1700000000000', ARGV[2])
return {'OK'}
