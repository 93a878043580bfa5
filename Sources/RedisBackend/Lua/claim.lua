#!lua flags=allow-oom
-- claim: makes the caller the coordinator of a partition that has none, or whose coordinator is no longer live and able.
--
-- KEYS    1 coordinator: the fencing token, `holder number`, the holder `-` where it was handed on
-- ARGV    1 the caller as `node:incarnation`, then every node that may coordinate in that way
-- result  1 and the caller's token, or 0 and that of another
-- cost    O(nodes)
local coordinator = KEYS[1]
local caller = ARGV[1]
local token = redis.call('GET', coordinator)
local holder, number = string.match(token or '- 0', '^(%S+) (%d+)$')
if holder == caller then return { 1, token } end
for i = 2, #ARGV do
  if ARGV[i] == holder then return { 0, token } end
end
token = caller .. ' ' .. (tonumber(number) + 1)
redis.call('SET', coordinator, token)
return { 1, token }
