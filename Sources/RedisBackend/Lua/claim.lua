#!lua flags=allow-oom
-- claim: makes the caller the coordinator of a partition that has none, or whose coordinator is no longer live and able.
--
-- KEYS    1 coordinator: `holder token`, the holder `-` where it was handed on
-- ARGV    1 the caller as `node:incarnation`, then every node that may coordinate in that way
-- result  1 and the caller's mark, or 0 and that of another
-- cost    O(nodes)
local coordinator = KEYS[1]
local caller = ARGV[1]
local mark = redis.call('GET', coordinator)
local holder, token = string.match(mark or '- 0', '^(%S+) (%d+)$')
if holder == caller then return { 1, mark } end
for i = 2, #ARGV do
  if ARGV[i] == holder then return { 0, mark } end
end
mark = caller .. ' ' .. (tonumber(token) + 1)
redis.call('SET', coordinator, mark)
return { 1, mark }
