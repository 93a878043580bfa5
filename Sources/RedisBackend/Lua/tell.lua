#!lua flags=allow-oom
-- tell: notes of nodes that connections of theirs were marked to be closed, for their beats to find.
--
-- KEYS    1 how many marks were set
-- ARGV    1 life of a node's number in ms, then for each node its name and how many more
-- result  how many nodes have a number
-- cost    O(nodes that had marks within that life)
local marked = KEYS[1]
local life = ARGV[1]
local moment = now()
for i = 2, #ARGV, 2 do
  -- One that was forgotten begins above all that it ever was, so that no beat takes it for what it knows.
  redis.call('HSETNX', marked, ARGV[i], moment)
  redis.call('HINCRBY', marked, ARGV[i], ARGV[i + 1])
  written(marked, ARGV[i], life, moment)
end
return redis.call('HLEN', marked) / 2
