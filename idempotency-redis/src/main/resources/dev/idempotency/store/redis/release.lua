#!lua flags=allow-oom
-- Frees a key that surely was not executed; keeps its fence for a while.
-- KEYS[1] record; ARGV: released record to write, its ttl ms, channel, message.
-- Returns {code, current}: 1 released, 2 owned by another or completed, 3 absent, 5 not one of ours, 6 owned, but with
-- another fence or attempt than the record to write says.
-- Offsets are those of RecordHeader, plus one: Lua counts from 1.
local value = redis.call('GET', KEYS[1])
if not value then return {3, ''} end
if #value < 160 or string.sub(value, 1, 3) ~= string.sub(ARGV[1], 1, 3) then return {5, value} end
if string.sub(value, 17, 32) ~= string.sub(ARGV[1], 17, 32) then return {2, value} end
local state = string.sub(value, 4, 4)
if state == 'R' then
  -- A write again, so that a WAIT behind it counts the replicas that have the record.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {1, ''}
end
if state ~= 'F' then return {2, value} end
if string.sub(value, 33, 40) ~= string.sub(ARGV[1], 33, 40) or string.sub(value, 7, 8) ~= string.sub(ARGV[1], 7, 8) then
  return {6, value}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if string.byte(value, 6) % 16 ~= 0 and ARGV[3] ~= '' then redis.pcall('PUBLISH', ARGV[3], ARGV[4]) end
return {1, ''}
