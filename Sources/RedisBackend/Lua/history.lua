#!lua flags=allow-oom
-- history: reads part of a room's log, without creating anything for a room that was never written to.
--
-- KEYS    1 state, 2 head, 3 log, 4 settings (left out where the room can have none)
-- ARGV    1 server, 2 candidate for a new epoch, 3 log age in ms, 4 limit of messages, 5 limit of bytes,
--         6 whether the room can have settings (0, 1), 7 the epoch that the seq is of ('': the present one), 8 `before` or
--         `after`, 9 seq (`before` without one: the newest)
-- result  epoch ('' where the room has no head), seq, more (0, 1), then seq, timestamp, body for each message;
--         `after` oldest first, `before` newest first
-- cost    O(messages returned)
local state, head, log = KEYS[1], KEYS[2], KEYS[3]
local run, candidate, age, most, most_bytes = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local settings, named, edge, place = ARGV[6] == '1' and KEYS[4], ARGV[7], ARGV[8], ARGV[9]
if redis.call('EXISTS', head) == 0 then return { '', 0, 0 } end
local term, is_new_term = meet(state, run)
local epoch, seq, ends, change = head_of(head, term, candidate)
settle(state, run, term, is_new_term, head, log, epoch, seq, ends, change, settings)

local answer = { epoch, seq, 0 }
-- A former epoch's numbers go no further than it went: beyond that they are the next epoch's. Of one that is forgotten
-- nothing is known to be before a message, and all that there is may be after it.
if place and named ~= '' and named ~= epoch then
  local _, last = string.find(',' .. ends, ',' .. named .. '=', 1, true)
  local finish = last and tonumber(string.match(ends, '^%d+', last))
  if edge == 'after' then
    place = math.min(tonumber(place), finish or 0)
  elseif finish then
    place = math.min(tonumber(place), finish + 1)
  else
    return answer
  end
end
local limit, oldest = tonumber(most), now() - tonumber(age)
local from, to, command = '(' .. (place or '0') .. '-0', '+', 'XRANGE'
if edge == 'before' then
  from, to, command = '+', '-', 'XREVRANGE'
  if place then from = '(' .. place .. '-0' end
end
local taken, more = read_log(log, answer, command, from, to, limit + 1, tonumber(most_bytes), oldest)
if taken > limit then
  for _ = 1, 3 do table.remove(answer) end
  more = true
end
if more then answer[3] = 1 end
return answer
