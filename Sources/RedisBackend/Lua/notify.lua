#!lua flags=allow-oom
-- notify: sends nodes a message over their channels.
--
-- KEYS    1 state: it tells where the channels lie, and is not read
-- ARGV    1 PUBLISH or SPUBLISH, 2 what the nodes' channels begin with, 3 the message, then the nodes
-- result  how many heard it, for each node
-- cost    O(nodes)
local command, channels, message = ARGV[1], ARGV[2], ARGV[3]
local heard = {}
for i = 4, #ARGV do heard[#heard + 1] = redis.call(command, channels .. ARGV[i], message) end
return heard
