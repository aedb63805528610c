-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- claim.lua - who may write to a destination. Its one key is outside of any batch's hash tag.
-- ARGV: owner to set ("" removes), owner that may be replaced ("" for none)
-- {OK} or {BUSY, the owner}
local owner = redis.call('GET', KEYS[1])
-- step: claim.compare
if owner and owner ~= ARGV[1] and owner ~= ARGV[2] then
    return {'BUSY', owner}
end
-- step: claim.set
if ARGV[1] ~= '' then
    redis.call('SET', KEYS[1], ARGV[1])
elseif owner then
    redis.call('DEL', KEYS[1])
end
return {'OK'}
