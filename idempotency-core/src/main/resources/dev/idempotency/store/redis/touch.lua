#!lua flags=allow-oom
-- Moves the end of an owned lease: renewal sets the whole TTL again, abandonment what is left of it when a
-- lease has just ended.
-- KEYS[1] record; ARGV: token, ttl ms, channel ('' for a renewal), message.
-- Returns 1 done, 0 not owned. What was abandoned stays so: a renewal that the network delayed must not revive it.
-- Flag 16 is RecordHeader.FLAG_ABANDONED.
local value = redis.call('GETRANGE', KEYS[1], 0, 127)
if #value < 128 or string.sub(value, 1, 2) ~= 'IK' then return 0 end
if string.sub(value, 4, 4) ~= 'F' or string.sub(value, 17, 32) ~= ARGV[1] then return 0 end
local flags = string.byte(value, 5)
local abandoned = flags >= 16
if ARGV[3] == '' then
  if abandoned then return 0 end
elseif not abandoned then
  redis.call('SETRANGE', KEYS[1], 4, string.char(flags + 16))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[3] ~= '' and flags % 2 == 1 then redis.pcall('PUBLISH', ARGV[3], ARGV[4]) end
return 1
