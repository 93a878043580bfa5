#!lua
-- state: notes what a connection says of its user, and tells how the user is if that is new: away when all connections
-- are, and offline while it wants to be invisible.
--
-- KEYS    1 the user's connections, 2 online, 3 states, 4 seen, 5 the inbox's head
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 `away`, `invisible` or `active`: of a connection that is away, that
--         it is back; of any other, that the user is to be seen again, 6 life of the keys in ms, 7 PUBLISH or SPUBLISH,
--         8 the user's status channel, 9 what the nodes' channels begin with, 10 how long a wish is remembered in ms
-- result  whether the user is invisible now (0, 1); -1 where the node does not hold the connection (any more)
-- cost    O(the user's connections)
local conns, online, states, seen, inbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local node, incarnation, connection, name, said, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local command, channel, nodes_channel, wish_life = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local holder, rest = string.match(redis.call('HGET', conns, connection) or '', '^(%S+)( %S+ %S+.*)$')
if not holder or not is_held_by(holder, node, incarnation) then return -1 end
local was_away = string.find(rest, '^ %S+ %S+ a')
rest = string.gsub(rest, '^( %S+ %S+) a', '%1')
if said == 'away' then rest = string.gsub(rest, '^( %S+ %S+)', '%1 a') end
redis.call('HSET', conns, connection, holder .. rest)

local wants = redis.call('HGET', inbox, 'state') == 'invisible'
if said == 'invisible' then
  redis.call('HSET', inbox, 'state', 'invisible')
  wants = true
elseif said == 'active' and wants and not was_away then
  redis.call('HDEL', inbox, 'state')
  wants = false
end
if wants then remember_wish(inbox, wish_life) end

local moment, records, told = now(), redis.call('HVALS', conns), redis.call('HGET', states, name)
local user = {
  conns = conns, online = online, states = states, life = life, name = name, command = command, channel = channel,
}
local function tell_nodes(is_invisible)
  local asked = {}
  for _, record in ipairs(records) do
    local other = string.match(record, '^([^~:][^:]*):')
    if other and not asked[other] then
      redis.call(command, nodes_channel .. other, 'w ' .. is_invisible .. ' ' .. name)
      asked[other] = true
    end
  end
end
if wants then
  if told ~= 'invisible' then
    redis.call('HSET', states, name, 'invisible')
    redis.call('PEXPIRE', states, life)
    redis.call('ZADD', seen, moment, name)
    redis.call(command, channel, 's 0 ' .. moment)
    tell_nodes(1)
  end
  return 1
end
if told == 'invisible' then
  redis.call('HDEL', states, name)
  -- So that it is later than when the user was last seen.
  redis.call('ZADD', online, 'XX', moment, name)
  redis.call(command, channel, 's 1 ' .. moment)
  tell_nodes(0)
end
tell_state(user, are_away(records), moment)
return 0
