#!lua flags=allow-oom
-- yield: hands on the coordination of a partition: the next to claim it gets it.
--
-- KEYS    1 coordinator
-- ARGV    1 the caller's mark
-- result  1, or 0 where the mark is no longer the caller's
-- cost    O(1)
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], '- ' .. string.match(ARGV[1], '%d+$'))
return 1
