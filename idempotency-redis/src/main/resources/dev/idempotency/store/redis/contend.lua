-- Claims a key that the fast path found taken, or one that has several places.
-- KEYS[1] record; KEYS[2], ... other places of its key; ARGV: record to write if there is none, its ttl ms, record to write
-- over the one that the claimer saw ('' if it may not), the sealed part of what the claimer saw, '1' if the claimer will
-- wait, '1' if a record may begin at KEYS[1].
-- Returns {code, record, number}: A acquired (number: 0), C completed, F in flight (number: ms of the lease left),
-- X abandoned (number: ms since the lease ended), R released, but not as the claimer saw it, T in flight without a TTL,
-- V not one of ours, O the record of the key is at another place (number: which), G there is none, and none may begin.
-- Offsets are those of RecordHeader, plus one: Lua counts from 1. A script changes nothing that a seal covers.
local mine = ARGV[1]
local value = redis.call('GET', KEYS[1])

-- What is released at another place counts as none: whoever claims there looks here in the same way.
for i = 2, #KEYS do
  local other = redis.call('GET', KEYS[i])
  if other and (#other < 160 or string.sub(other, 4, 4) ~= 'R') then return {'O', other, i - 1} end
end

local function own(record)
  redis.call('SET', KEYS[1], record, 'PX', ARGV[2])
  return {'A', record, 0}
end

local home = ARGV[6] == '1'
if not value then
  if home then return own(mine) end
  return {'G', '', 0}
end
if #value < 160 or string.sub(value, 1, 3) ~= string.sub(mine, 1, 3)
  or string.sub(value, 121, 128) ~= string.sub(mine, 121, 128) then return {'V', value, 0} end

-- All but the marks: a send that the network delayed must not own anew what its claimer has released meanwhile, and a
-- record that was not checked by its claimer is not written over.
local seen = ARGV[3] ~= '' and string.sub(value, 1, 5) .. '\0' .. string.sub(value, 7, 144) == ARGV[4]

local state = string.sub(value, 4, 4)
if state == 'R' then
  if not home then return {'G', '', 0} end
  if seen then return own(ARGV[3]) end
  return {'R', value, 0}
end
if state == 'C' then return {'C', value, 0} end
if state ~= 'F' then return {'V', value, 0} end
local marks = string.byte(value, 6)
-- RecordHeader.MARK_ABANDONED: a send that the network delayed must not revive what its claimer has abandoned meanwhile.
if string.sub(value, 17, 32) == string.sub(mine, 17, 32) and marks < 240 then
  -- The reply to an earlier send was lost. The owner counts its lease from this claim, so the record must too.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {'A', value, 0}
end

-- The age of a lease is what is gone of the TTL that its last write or renewal set: one clock, this server's.
local pttl = redis.call('PTTL', KEYS[1])
if pttl < 0 then return {'T', value, 0} end
local left = struct.unpack('>I8', value, 41) - (struct.unpack('>I8', value, 49) - pttl)
if left > 0 then
  -- RecordHeader.MARK_AWAITED.
  if ARGV[5] == '1' and marks % 16 == 0 then redis.call('SETRANGE', KEYS[1], 5, string.char(marks + 15)) end
  return {'F', value, left}
end
if seen then return own(ARGV[3]) end
return {'X', value, -left}
