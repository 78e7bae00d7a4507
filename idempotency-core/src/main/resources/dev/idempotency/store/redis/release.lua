#!lua flags=allow-oom
-- Frees a key that surely was not executed; keeps its fence for a while.
-- KEYS[1] record; ARGV: token, ttl ms of what is kept, channel, message.
-- Returns 1 released, 2 owned by another or completed, 3 absent, 5 not one of ours.
local value = redis.call('GET', KEYS[1])
if not value then return 3 end
if #value < 128 or string.sub(value, 1, 2) ~= 'IK' then return 5 end
if string.sub(value, 17, 32) ~= ARGV[1] then return 2 end
local state = string.sub(value, 4, 4)
if state == 'R' then
  -- A write again, so that a WAIT behind it counts the replicas that have the record.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if state ~= 'F' then return 2 end
redis.call('SET', KEYS[1], string.sub(value, 1, 3) .. 'R' .. '\0' .. string.sub(value, 6, 128), 'PX', ARGV[2])
if string.byte(value, 5) % 2 == 1 and ARGV[3] ~= '' then redis.pcall('PUBLISH', ARGV[3], ARGV[4]) end
return 1
