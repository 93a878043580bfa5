#!lua flags=allow-oom
-- miss: notes in the ledger that somebody came to a room for its last message and found none, at most once a second for each
-- room, and not while a receiver is far behind.
--
-- KEYS    1 head, 2 events
-- ARGV    1 room, 2 ledger size
-- result  1, or 0 where nothing was noted
-- cost    O(receivers)
local head, events = KEYS[1], KEYS[2]
local name, ledger_size = ARGV[1], ARGV[2]
local moment = now()
if math.abs(moment - tonumber(redis.call('HGET', head, 'missed') or 0)) < 1000 then return 0 end
if is_far_behind(events) then return 0 end
redis.call('HSET', head, 'missed', moment)
redis.call('XADD', events, 'MAXLEN', '~', ledger_size, '*', 't', 'room.missed', 'u', '', 'r', name, 'c', '')
return 1
