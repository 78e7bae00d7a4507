#!lua flags=allow-oom
-- Writes a tombstone over an outcome; its end stays.
-- KEYS[1] record; ARGV: record to write, the sealed part of the record that was seen.
-- Returns {1} done, {0} not as it was seen.
local value = redis.call('GET', KEYS[1])
if not value or #value < 160 or string.sub(value, 1, 5) .. '\0' .. string.sub(value, 7, 144) ~= ARGV[2] then return {0} end
redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
return {1}
