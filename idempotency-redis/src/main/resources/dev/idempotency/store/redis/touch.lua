#!lua flags=allow-oom
-- Moves the end of an owned lease: renewal sets the whole TTL again, abandonment what is left of it when a
-- lease has just ended.
-- KEYS[1] record; ARGV: token, ttl ms, channel ('' for a renewal), message.
-- Returns 1 done, 0 not owned. What was abandoned stays so: a renewal that the network delayed must not revive it.
-- RecordHeader.MARK_ABANDONED is 240.
local value = redis.call('GETRANGE', KEYS[1], 0, 159)
if #value < 160 or string.sub(value, 1, 3) ~= 'IK\3' then return 0 end
if string.sub(value, 4, 4) ~= 'F' or string.sub(value, 17, 32) ~= ARGV[1] then return 0 end
local marks = string.byte(value, 6)
local abandoned = marks >= 240
if ARGV[3] == '' then
  if abandoned then return 0 end
elseif not abandoned then
  redis.call('SETRANGE', KEYS[1], 5, string.char(marks % 16 + 240))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[3] ~= '' and marks % 16 ~= 0 then redis.pcall('PUBLISH', ARGV[3], ARGV[4]) end
return 1
