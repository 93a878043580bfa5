#!lua flags=allow-oom
-- history: reads part of a room's log, without creating anything for a room that was never written to.
--
-- KEYS    1 state, 2 head, 3 log
-- ARGV    1 run_id, 2 candidate for a new epoch, 3 log age in ms, 4 limit of messages, 5 limit of bytes,
--         6 `before` or `after`, 7 seq (`before` without one: the newest)
-- result  epoch ('' where the room has no head), seq, more (0, 1), then seq, timestamp, body for each message;
--         `after` oldest first, `before` newest first
-- cost    O(messages returned)
if redis.call('EXISTS', KEYS[2]) == 0 then return { '', 0, 0 } end
local term, is_new_term = meet(KEYS[1], ARGV[1])
local epoch, seq, ends, change = head_of(KEYS[2], term, ARGV[2])
settle(KEYS[1], ARGV[1], term, is_new_term, KEYS[2], KEYS[3], epoch, seq, ends, change)

local answer = { epoch, seq, 0 }
local limit, oldest = tonumber(ARGV[4]), now() - tonumber(ARGV[3])
local from, to, command = '(' .. (ARGV[7] or '0') .. '-0', '+', 'XRANGE'
if ARGV[6] == 'before' then
  from, to, command = '+', '-', 'XREVRANGE'
  if ARGV[7] then from = '(' .. ARGV[7] .. '-0' end
end
local taken, more = read_log(KEYS[3], answer, command, from, to, limit + 1, tonumber(ARGV[5]), oldest)
if taken > limit then
  for _ = 1, 3 do table.remove(answer) end
  more = true
end
if more then answer[3] = 1 end
return answer
