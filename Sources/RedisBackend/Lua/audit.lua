#!lua flags=allow-oom
-- audit: notes a call of a backend that changed something, or overstepped its key.
--
-- KEYS    1 ledger of calls
-- ARGV    1 the key's name, 2 method and route, 3 whom it is about, 4 status, 5 how many are kept, 6 life in ms
-- result  the entry's id
-- cost    O(1)
local calls = KEYS[1]
local name, call, whom, status, most, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local id = redis.call('XADD', calls, 'MAXLEN', '~', most, '*', 'k', name, 'c', call, 'w', whom, 's', status)
redis.call('PEXPIRE', calls, life)
return id
