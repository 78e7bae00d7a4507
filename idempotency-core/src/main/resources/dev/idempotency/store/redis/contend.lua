-- Claims a key that the fast path found taken.
-- KEYS[1] record; ARGV: record to write, ttl ms, fence that may be taken over (8 bytes, or ''), '1' if the claimer will wait,
-- fence of the released record that the claimer saw (8 bytes, or '').
-- Returns {code, record, number}: A acquired (number: 0), C completed, F in flight (number: ms of the lease left),
-- X abandoned (number: ms since the lease ended), R released, but not as the claimer saw it, V not one of ours.
-- Offsets are those of RecordHeader, plus one: Lua counts from 1.
local mine = ARGV[1]
local value = redis.call('GET', KEYS[1])

local function own(previous)
  local record = mine
  if previous then
    local fence = math.max(struct.unpack('>I8', mine, 33), struct.unpack('>I8', previous, 33) + 1)
    local attempt = math.min(struct.unpack('>I2', previous, 7) + 1, 65535)
    record = string.sub(mine, 1, 6) .. struct.pack('>I2', attempt) .. string.sub(mine, 9, 32)
      .. struct.pack('>I8', fence) .. string.sub(mine, 41)
  end
  redis.call('SET', KEYS[1], record, 'PX', ARGV[2])
  return {'A', record, 0}
end

-- Doubles hold every integer below 2^53; above, a fence would not rise (RecordHeader.FENCE_LIMIT).
local function fits(record) return struct.unpack('>I8', record, 33) < 9007199254740991 end

if not value then return own(nil) end
if #value < 128 or string.sub(value, 1, 3) ~= string.sub(mine, 1, 3)
  or string.sub(value, 121, 128) ~= string.sub(mine, 121, 128) then return {'V', value, 0} end

if not fits(value) then return {'V', value, 0} end

local state = string.sub(value, 4, 4)
if state == 'R' then
  -- A send that the network delayed must not own anew what its claimer has released meanwhile.
  if ARGV[5] == string.sub(value, 33, 40) then return own(value) end
  return {'R', value, 0}
end
if state == 'C' then return {'C', value, 0} end
if state ~= 'F' then return {'V', value, 0} end
-- Flag 16 is RecordHeader.FLAG_ABANDONED: a send that the network delayed must not revive what its claimer has abandoned
-- meanwhile.
if string.sub(value, 17, 32) == string.sub(mine, 17, 32) and string.byte(value, 5) < 16 then
  -- The reply to an earlier send was lost. The owner counts its lease from this claim, so the record must too.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {'A', value, 0}
end

-- The age of a lease is what is gone of the TTL that its last write or renewal set: one clock, this server's.
local left = struct.unpack('>I8', value, 41) - (struct.unpack('>I8', value, 49) - redis.call('PTTL', KEYS[1]))
if left > 0 then
  if ARGV[4] == '1' and string.byte(value, 5) % 2 == 0 then
    redis.call('SETRANGE', KEYS[1], 4, string.char(string.byte(value, 5) + 1))
  end
  return {'F', value, left}
end
if ARGV[3] == string.sub(value, 33, 40) then return own(value) end
return {'X', value, -left}
