#!lua flags=no-writes
-- rooms_of: goes through some of the keys of a server and names the logs among them.
--
-- KEYS    1 state of a partition that lies there
-- ARGV    1 how far the last call came (0: it begins), 2 what names of keys begin with, 3 keys looked at, about, 4 the process
--         that the last call was answered by ('': any)
-- result  `` and nothing more where another process answers than before; else how far this one came (0: through), the
--         process, then the names
-- cost    O(keys looked at)
local cursor, prefix, count, before = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local process = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if before ~= '' and before ~= process then return { '' } end
local found = redis.call('SCAN', cursor, 'MATCH', prefix .. ':{??}:*:log', 'COUNT', count)
table.sort(found[2])
return { found[1], process, unpack(found[2]) }
