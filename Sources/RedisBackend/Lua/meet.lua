#!lua flags=allow-oom
-- meet: tells a partition which run of Redis this is, so that its rooms' epochs are closed where it is another.
--
-- KEYS    1 state
-- ARGV    1 server
-- result  the term
-- cost    O(1)
local state = KEYS[1]
local run = ARGV[1]
local term, is_new_term = meet(state, run)
if is_new_term then redis.call('HSET', state, 'run', run, 'term', term) end
return tonumber(term)
