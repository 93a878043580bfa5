#!lua flags=allow-oom
-- connect: registers a connection of a user with its node, and tells that the user is online if that is new. A full Redis
-- takes it: there are as many as the nodes have places, and nobody is kept out by what others have stored.
--
-- KEYS    1 the user's connections, 2 online, 3 session, 4 holders, 5 the node's set, 6 linger, 7 fence, 8 events,
--         9 marks, 10 state, 11 the inbox's head, 12 verdict, 13 states
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 address, 6 the session's secret, 7 since in ms (0: now),
--         8 cause, 9 life of the keys in ms, 10 life of the session in ms, 11 ledger size, 12 PUBLISH or SPUBLISH,
--         13 the user's status channel, 14 `new`, or `again` for one that was registered before, or
--         `invisible` for one of these whose user wants to be,
--         15 connections a user may have (0: any number), 16 `closeOldest` or `refuseNewest`,
--         17 what the nodes' channels begin with, 18 life of `holders` and the node's set, which outlive what they
--         name, in ms, 19 server, 20 whether the node has to be put among the holders (0, 1),
--         21 when the token was issued in ms, 0 where it does not say, '' where there is none,
--         22 whether what the partition's connections share has to be given its life (0, 1): not where the node has others
--         in the partition, which gave it one and renew it,
--         23 what its client speaks ('': the gateway's own),
--         24 for `again` the number of the disconnection of the user that it came after, 25 how often its session had gone
--         on elsewhere with it, and then the rooms that it is in
-- result  `ok`, since, now, the number of the disconnection of the user that it came after (0: of none), the nodes of
--         connections that were marked to be closed, epoch and seq of the inbox (as `standing` tells them), and whether the user
--         is invisible (0, 1); `fenced`, the incarnation
--         below which the node is dead here; `banned` and `void` (the token) where the user is not let in; `full`
--         where the user has too many; where it is registered again, `ended` after a disconnection of the user, and
--         `replaced` where its session has gone on with another connection since
-- cost    O(1); with a limit that is reached O(the user's connections); for `again` O(rooms)
local fence = fenced()
if fence then return { 'fenced', fence } end
local moment, said = now(), verdict(verdict_key)
local refused = refusal(said, issued, moment)
if refused then return refused end

-- Has the session name the rooms that the connection is in: a failover may have lost some, or brought back what was left.
local function name_rooms()
  local rooms = {}
  for i = 26, #ARGV do rooms['r:' .. ARGV[i]] = true end
  for _, field in ipairs(redis.call('HKEYS', session)) do
    if rooms[field] then
      rooms[field] = nil
    elseif string.sub(field, 1, 2) == 'r:' then
      redis.call('HDEL', session, field)
    end
  end
  for field in pairs(rooms) do redis.call('HSET', session, field, '') end
end

local ended, nodes = last_ended(said), {}
if mode ~= 'new' then
  if tonumber(past) < ended then return { 'ended' } end
  local named = redis.call('HMGET', session, 'c', 'n', 'b')
  if named[1] and named[1] ~= connection then
    if tonumber(named[2] or 0) >= tonumber(moved) then return { 'replaced' } end
    -- It is the session that is of before: a failover has lost that it went on with this connection.
    take_over(named[1], nodes)
    move(named[1], named[3], moved)
  elseif moved ~= '0' then
    redis.call('HSET', session, 'n', moved)
  end
  ended = past
  name_rooms()
else
  nodes = admit('')
  if not nodes then return { 'full' } end
end
if mode == 'invisible' then redis.call('HSET', inbox_head, 'state', 'invisible') end
local epoch, seq, _, _, wish = standing(state, inbox_head, run)
local since = register(moment, ended, wish == 'invisible')
return { 'ok', since, moment, tonumber(ended), nodes, epoch, seq, wish == 'invisible' and 1 or 0 }
