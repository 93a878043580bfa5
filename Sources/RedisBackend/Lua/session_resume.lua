#!lua flags=allow-oom
-- session_resume: makes a session name another connection, which takes over the record, or the
-- grace, of the one before. Nothing is added by it, so a full Redis takes it too.
--
-- KEYS    as `connect` has them
-- ARGV    as `connect` has them
-- result  `ok`, since, now, the number of the disconnection of the user that it came after, the nodes of connections that
--         were marked to be closed, epoch and seq of the inbox, the connection that was replaced, how often the session has gone
--         on elsewhere, whether the user is invisible (0, 1), then its rooms, each with what was said to be shown of the user there ('': nothing was); the same again on a retry. `missed` and why: `unknown` where the
--         session is gone, `other_user`, `ended` with a disconnection of the user; `fenced`, `banned`, `void` and `full` as
--         `connect` answers them
-- cost    O(the session's rooms); with a limit that is reached O(the user's connections) as well
local fence = fenced()
if fence then return { 'fenced', fence } end
local moment, said = now(), verdict(verdict_key)
local refused = refusal(said, issued, moment)
if refused then return refused end
local held = redis.call('HMGET', session, 'u', 'c', 'b', 'e', 'n')
local ended = tonumber(held[4] or 0)
if not held[1] then return { 'missed', 'unknown' } end
if held[1] ~= user then return { 'missed', 'other_user' } end
if ended < last_ended(said) then return { 'missed', 'ended' } end
local old, times = held[2], tonumber(held[5] or 0)
if old == connection then
  old = string.match(held[3] or '', '^%S*')
else
  times = times + 1
end
local nodes = admit(old)
if not nodes then return { 'full' } end

take_over(old, nodes)
move(old, held[3], times)
local epoch, seq, _, _, wish = standing(state, inbox_head, run)
local since = register(moment, ended, wish == 'invisible')
local answer = { 'ok', since, moment, ended, nodes, epoch, seq, old, times, wish == 'invisible' and 1 or 0 }
local fields = redis.call('HGETALL', session)
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'r:' then
    answer[#answer + 1], answer[#answer + 2] = string.sub(fields[i], 3), fields[i + 1]
  end
end
return answer
