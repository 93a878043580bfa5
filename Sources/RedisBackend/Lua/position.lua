#!lua flags=allow-oom
-- position: says where a room's stream and its roster stand, and what the log holds behind a number.
--
-- KEYS    1 state, 2 head, 3 log, then settings (left out where the room can have none), members (left out where it keeps
--         no roster)
-- ARGV    1 server, 2 candidate for a new epoch, 3 life of a head without messages in ms, 4 log age in ms,
--         5 whether the room keeps a roster (0, 1), 6 whether it can have settings (0, 1), 7 the version of them that is
--         known, 8 seq behind which the log is read (left out: it is not; below 0: so many of the newest), 9 limit of
--         messages, 10 limit of bytes
-- result  epoch, seq, now, ends (old epoch=last seq, newest first), roster version (0: nobody was ever in the room),
--         members, more (0, 1), version of the settings, and where that is not the known one the life that they give the
--         room in ms (0: no end), their text ('' and 0: closed), the version that closed the room last (0: none) and the
--         users with a role, each followed by it, then seq, timestamp, body for each message
--         A head that is missing begins here, but with a life of 0 it does not: an inbox is at '' and 0 until its first
--         message.
-- cost    O(messages returned); of settings that are not known, where users have roles, O(what the settings hold)
local state, head, log = KEYS[1], KEYS[2], KEYS[3]
local run, candidate, head_life, age, has_roster = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local settings, known = ARGV[6] == '1' and KEYS[4], ARGV[7]
local after, most, most_bytes = ARGV[8], ARGV[9], ARGV[10]
local members = has_roster == '1' and KEYS[settings and 5 or 4]
local term, is_new_term = meet(state, run)
local epoch, seq, ends, change, _, _, version = head_of(head, term, candidate)
if change == 'missing' and head_life == '0' then return { '', 0, now(), '', 0, 0, 0, 0, 0, '', 0, {} } end
settle(state, run, term, is_new_term, head, log, epoch, seq, ends, change, settings)
-- One without messages lives as long as it is asked for and followed, and a little longer; not where nothing may be written.
if seq == 0 and head_life ~= '0' then redis.pcall('PEXPIRE', head, head_life) end

-- They stand among a field for each member, which need not all be read for them.
local function roles_of(settings)
  local roles, place = {}, '0'
  repeat
    local part = redis.call('HSCAN', settings, place, 'MATCH', 'role:*', 'COUNT', 1000)
    place = part[1]
    for i = 1, #part[2], 2 do
      local n = #roles
      roles[n + 1], roles[n + 2] = string.sub(part[2][i], 6), part[2][i + 1]
    end
  until place == '0'
  return roles
end

local moment = now()
local answer = { epoch, seq, moment, ends, 0, 0, 0, 0, 0, '', 0, {} }
if members then
  answer[5] = tonumber(redis.call('HGET', head, 'roster') or 0)
  answer[6] = redis.call('HLEN', members)
end
if settings and (change or version and version ~= '0') then
  local stored = redis.call('HMGET', settings, 'version', 'expires', 'text', 'shut', 'given')
  answer[8] = tonumber(stored[1]) or 0
  if stored[1] and stored[1] ~= known then
    answer[9], answer[10], answer[11] = tonumber(stored[2]), stored[3], tonumber(stored[4] or 0)
    if tonumber(stored[5] or 0) > 0 then answer[12] = roles_of(settings) end
  end
end
if after and tonumber(after) < 0 then after = math.max(0, seq + after) end
if after and tonumber(after) < seq then
  local _, more = read_log(
    log, answer, 'XRANGE', (after + 1) .. '-0', '+', tonumber(most), tonumber(most_bytes),
    moment - tonumber(age))
  if more then answer[7] = 1 end
end
return answer
