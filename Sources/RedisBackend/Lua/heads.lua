#!lua flags=no-writes
-- heads: says where many rooms of one partition stand, so that a node finds those it has missed something of.
--
-- KEYS    1 state, then the heads
-- ARGV    1 server, 2 how many heads
-- result  epoch ('': it has none, or one of an earlier run of Redis), seq, roster version, version of the settings for each
--         head
-- cost    O(heads)
local state_key = KEYS[1]
local run, count = ARGV[1], ARGV[2]
local state = redis.call('HMGET', state_key, 'run', 'term')
local answer = {}
for i = 2, count + 1 do
  local head = redis.call('HMGET', KEYS[i], 'epoch', 'term', 'seq', 'roster', 'settings')
  local is_present = state[1] == run and head[2] == state[2]
  answer[#answer + 1] = is_present and head[1] or ''
  answer[#answer + 1] = tonumber(head[3] or 0)
  answer[#answer + 1] = tonumber(head[4] or 0)
  answer[#answer + 1] = tonumber(string.match(head[5] or '', '^%d+') or 0)
end
return answer
