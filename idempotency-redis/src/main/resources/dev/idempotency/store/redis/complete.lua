#!lua flags=allow-oom
-- Stores an outcome if the caller's token still stands, or nothing does. May exceed maxmemory: a finished
-- operation must be recorded.
-- KEYS[1] record; ARGV: record to write, ttl ms, channel, message.
-- Returns {code, current}: 1 recorded, 2 already recorded, 3 restored, 4 fenced off, 5 not one of ours.
local value = redis.call('GET', KEYS[1])
if not value then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {3, ''}
end
if #value < 160 or string.sub(value, 1, 3) ~= string.sub(ARGV[1], 1, 3)
  or string.sub(value, 121, 128) ~= string.sub(ARGV[1], 121, 128) then return {5, value} end
if string.sub(value, 17, 32) ~= string.sub(ARGV[1], 17, 32) then return {4, value} end
local state = string.sub(value, 4, 4)
if state == 'C' then
  -- A write again, so that a WAIT behind it counts the replicas that have the record. Its end stays: the record names it.
  local pttl = redis.call('PTTL', KEYS[1])
  redis.call('PEXPIRE', KEYS[1], pttl > 0 and pttl or ARGV[2])
  return {2, ''}
end
if state ~= 'F' then return {4, value} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if string.byte(value, 6) % 16 ~= 0 and ARGV[3] ~= '' then redis.pcall('PUBLISH', ARGV[3], ARGV[4]) end
return {1, ''}
