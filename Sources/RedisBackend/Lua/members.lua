#!lua flags=no-writes
-- members: takes one step through a room's members, and tells at which server, whose order its places are of.
--
-- KEYS    1 members
-- ARGV    1 where the step begins (0: the beginning), 2 how many it is to bring, about, 3 server
-- result  server, where the next step begins (0: there is none), and user, packed member for each
-- cost    O(members that it brings)
local members = KEYS[1]
local place, count, server = ARGV[1], ARGV[2], ARGV[3]
local step = redis.call('HSCAN', members, place, 'COUNT', count)
return {server, step[1], step[2]}
