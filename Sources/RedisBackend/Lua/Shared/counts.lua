-- Shared opening of the scripts that say how many connections are in a room, behind those of the roster and of the receivers.

-- Writes who is in a room and shows nobody there, as its head holds it under `guests`: a blank and `holder=count` for each
-- node that has some, a blank and `~cause` while the grace of one runs. Nobody is no field.
local function write_guests(head, words)
  if #words == 0 then
    redis.call('HDEL', head, 'guests')
  else
    redis.call('HSET', head, 'guests', ' ' .. table.concat(words, ' '))
  end
end

-- Has the coordinator tell a room's number, whoever is alive by then.
local function owe_count(room, due)
  redis.call('ZADD', room.lingering, 'NX', due, 'n|' .. room.name)
  redis.call('PEXPIRE', room.lingering, room.list_life)
end

-- Tells how many connections are in a room, without those in their grace, where that is not what was told last: `s` in
-- `told` has the room's subscribers told, `w` the ledger. Of more than a hundred that is told every five seconds, and the
-- ledger is told nothing while a receiver is far behind: what is left untold is owed. Answers the number where there may be
-- subscribers who have not heard it over the room's channel, else -1.
local function tell_count(room, told, ledger, moment)
  if told == '' then return -1 end
  local stored, count = redis.call('HMGET', room.head, 'guests', 'counted'), redis.call('SCARD', room.conns)
  for number in string.gmatch(stored[1] or '', '=(%d+)') do count = count + number end
  local before, at, noted = string.match(stored[2] or '', '^(%d+) (%d+) (%d+)$')
  before, at, noted = tonumber(before or 0), tonumber(at or 0), tonumber(noted or 0)
  local has_subscribers, is_noted = string.find(told, 's', 1, true), string.find(told, 'w', 1, true)
  local is_new, must_note = before ~= count, is_noted and noted ~= count
  if not is_new and not must_note then return has_subscribers and count or -1 end
  -- One of more than that is of a clock that has gone back since.
  local wait = at + 5000 - moment
  if is_new and count > 100 and wait > 0 and wait <= 5000 then
    owe_count(room, at + 5000)
    return has_subscribers and count or -1
  end
  if is_new then
    at = moment
    if has_subscribers then redis.call(room.command, room.channel, 'n ' .. count) end
  end
  if must_note and not is_far_behind(ledger.key) then
    noted = count
    redis.call('XADD', ledger.key, 'MAXLEN', '~', ledger.size, '*', 't', 'room.counted', 'u', '', 'r', room.name,
      'c', '', 'd', '{"subscription_count":' .. count .. '}')
  end
  if is_noted and noted ~= count then
    owe_count(room, moment + 5000)
  else
    noted = count
    if before > 100 or count > 100 then redis.call('ZREM', room.lingering, 'n|' .. room.name) end
  end
  if count == 0 and noted == 0 then
    redis.call('HDEL', room.head, 'counted')
  else
    redis.call('HSET', room.head, 'counted', count .. ' ' .. at .. ' ' .. noted)
  end
  return has_subscribers and not is_new and count or -1
end
