#!lua flags=allow-oom
-- close: marks all connections of a user to be closed.
--
-- KEYS    1 the user's connections, 2 marks
-- ARGV    1 close code, 2 text, 3 life of the marks in ms, 4 PUBLISH or SPUBLISH, 5 what the nodes' channels begin with
-- result  how many connections there are, without those in their grace, and the node of each
-- cost    O(the user's connections)
local marks = { key = KEYS[2], life = ARGV[3], command = ARGV[4], channel = ARGV[5] }
local nodes, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local holder, rest = string.match(all[i + 1], '^([^~ ][^ ]*) %S+ %S+(.*)$')
  if holder then
    if rest == '' then redis.call('HSET', KEYS[1], all[i], all[i + 1] .. ' !') end
    nodes[#nodes + 1] = mark(marks, all[i], holder, ARGV[1], ARGV[2])
  end
end
return { #nodes, nodes }
