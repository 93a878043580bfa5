#!lua flags=allow-oom
-- meet: tells a partition which server this is, so that its rooms' epochs are closed where it is another, or was set
-- back. One that is met for the first time, or that has forgotten all, is born with that.
--
-- KEYS    1 state
-- ARGV    1 server, 2 round: how often it was set back under one identity, as `beat` counts it
-- result  the term, and when the partition was born
-- cost    O(1)
local state = KEYS[1]
local server, round = ARGV[1], tonumber(ARGV[2])
local term, is_new_term = meet(state, server)
local before = tonumber(redis.call('HGET', state, 'round')) or 0
if not is_new_term and before < round then term, is_new_term = tostring(tonumber(term) + 1), true end
if is_new_term then
  begin_term(state, server, term)
  redis.call('HSET', state, 'round', math.max(before, round))
end
redis.call('HSETNX', state, 'born', now())
return { tonumber(term), redis.call('HGET', state, 'born') }
