#!lua
-- settings: says which settings a room has, as they are under this run of Redis.
--
-- KEYS    1 settings, 2 head, 3 state
-- ARGV    1 server
-- result  version (0: none), the life that they give the room in ms (0: no end), text ('': closed), the
--         version that closed the room last (0: none)
-- cost    O(1)
local settings, head, state = KEYS[1], KEYS[2], KEYS[3]
local run = ARGV[1]
local stored = redis.call('HMGET', settings, 'version', 'term', 'expires', 'text', 'shut')
if not stored[1] then return { 0, 0, '', 0 } end
local term, is_new_term = meet(state, run)
local version = tonumber(stored[1])
if is_new_term then begin_term(state, run, term) end
if stored[2] ~= term then version = carry(settings, head, term) end
return { version, tonumber(stored[3]), stored[4], tonumber(stored[5] or 0) }
