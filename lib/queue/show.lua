-- SPDX-License-Identifier: Apache-2.0
-- Copyright The hiwari authors
-- show.lua - all about one key. ARGV: incarnation, key
-- {OK, now, record, time of its place, error, lineage, then numbers and names of the workers named}
if not batch_is(ARGV[1]) then
    return {'GONE'}
end
local key = ARGV[2]
local text = call('HGET', RECORDS, key)
if not text then
    return {'ABSENT'}
end
-- step: show.read
local r = record_parse(text)
local time = (r.s == 'w' or r.s == 'l') and call('ZSCORE', PLACE[r.s], key) or '0'
local history = call('HGET', HISTORY, key) or ''
local reply = {'OK', now, text, time, call('HGET', ERRORS, key) or '', history}
for number in string.gmatch(r.w .. '|\n' .. history .. '\n', '(%d*)|[^\n]*\n') do
    reply[#reply + 1] = number
    reply[#reply + 1] = call('HGET', NAMES, number) or ''
end
return reply
