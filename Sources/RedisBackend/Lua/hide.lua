#!lua flags=allow-oom
-- hide: takes a member of a room out of the others' sight, who are told that it has left, or shows it again. Each node with
-- a connection of the user there asks for it: one of them finds something to do.
--
-- KEYS    1 members, 2 head
-- ARGV    1 user, 2 whether it is to be hidden (0, 1), 3 life of the keys in ms, 4 life of a head without messages in ms,
--         5 PUBLISH or SPUBLISH, 6 the room's channel
-- result  1, or 0 where nothing was to be done
-- cost    as `join`
local members, head = KEYS[1], KEYS[2]
local user, must_hide, life, head_life, command, channel = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local room = { members = members, head = head, head_life = head_life, command = command, channel = channel }
local packed, is_hidden = read_member(room, user)
if packed == '' or is_hidden == must_hide then return 0 end
local moment = now()
if must_hide then
  redis.call('HDEL', members, user)
  redis.call('HSET', head, 'h:' .. user, packed)
  redis.call('HINCRBY', head, 'hidden', 1)
  publish(room, step(room, moment), moment, { spell('l', '-', user, '') })
else
  forget_hidden(room, user)
  redis.call('HSET', members, user, packed)
  redis.call('PEXPIRE', members, life)
  local info = string.sub(packed, 1, #packed - #connections_of(packed))
  publish(room, step(room, moment), moment, { spell('j', '-', user, info) })
end
return 1
