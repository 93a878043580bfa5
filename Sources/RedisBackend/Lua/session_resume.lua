#!lua flags=allow-oom
-- session_resume: makes a session name another connection, which takes over the record, or the
-- grace, of the one before. Nothing is added by it, so a full Redis takes it too.
--
-- KEYS    as `connect` has them
-- ARGV    as `connect` has them
-- result  `ok`, since, now, the connection that was replaced, the nodes of connections that were marked to be closed,
--         epoch and seq of the inbox, then the session's rooms; the same again on a retry. `unknown` where the session
--         is gone, ended with a disconnection of the user, or another user's; `fenced`, `banned`, `void` and `full` as
--         `connect` answers them
-- cost    O(the session's rooms); with a limit that is reached O(the user's connections) as well
local fence = fenced()
if fence then return { 'fenced', fence } end
local moment, said = now(), verdict(KEYS[12])
local refused = refusal(said, ARGV[21], moment)
if refused then return refused end
local connection, user = ARGV[3], ARGV[4]
local held = redis.call('HMGET', KEYS[3], 'u', 'c', 'b', 't')
if held[1] ~= user or said and tonumber(held[4] or 0) <= said.ended then return { 'unknown' } end
local old = held[2]
if old == connection then old = held[3] or '' end
local nodes = admit(old)
if not nodes then return { 'full' } end

local record = redis.call('HGET', KEYS[1], old)
if record then
  local holder = string.match(record, '^%S+')
  redis.call('HDEL', KEYS[1], old)
  redis.call('ZREM', KEYS[6], 'u|' .. old .. '|' .. user)
  if string.sub(holder, 1, 1) ~= '~' then
    nodes[#nodes + 1] = mark(marks, old, holder, 4409, 'the session goes on elsewhere')
  end
else
  local marked = redis.call('HGET', KEYS[9], old)
  if marked then nodes[#nodes + 1] = string.match(marked, '^%S+') end
end
redis.call('HSET', KEYS[3], 'b', old)
local since = register(moment, said)
local answer = { 'ok', since, moment, old, nodes, standing(KEYS[10], KEYS[11], ARGV[19]) }
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
  if string.sub(field, 1, 2) == 'r:' then answer[#answer + 1] = string.sub(field, 3) end
end
return answer
