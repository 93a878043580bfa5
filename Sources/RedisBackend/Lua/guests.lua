#!lua flags=allow-oom
-- guests: says how many of a node's connections are in a room and show nobody there. The number is told as it is and never
-- as a change, so that it is right however often it comes. A full Redis takes it: a room has one for each node, and nobody is
-- kept out by what others have stored.
--
-- KEYS    1 members, 2 the room's connections, 3 rooms, 4 head, 5 holders, 6 the node's set, 7 linger, 8 fence, 9 events
-- ARGV    1 node, 2 incarnation, 3 room, 4 how many, 5 what caused that they came, 6 that the last left,
--         7 grace in ms of one that was lost ('': none was), 8 life of the keys in ms,
--         9 life of a head without messages in ms, 10 life of `holders` and the node's set in ms, 11 ledger size,
--         12 whether the node has to be put among the holders (0, 1), 13 PUBLISH or SPUBLISH, 14 the room's channel,
--         15 who is told how many connections there are (see `tell_count`)
-- result  `ok` and what `tell_count` answers; `fenced`, the incarnation below which the node is dead here
-- cost    O(nodes that have some in the room + receivers)
local members, conns, rooms, head, holders, held = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local lingering, fences, events = KEYS[7], KEYS[8], KEYS[9]
local node, incarnation, name, count, came, left = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local grace, life, head_life, list_life, ledger_size = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local must_announce, command, channel, told = ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local is_there = count ~= '0'
local fence = redis.call('HGET', fences, node)
if is_there and fence and tonumber(fence) > tonumber(incarnation) then return { 'fenced', tonumber(fence) } end

local room = {
  members = members, conns = conns, rooms = rooms, head = head, name = name, command = command, channel = channel,
  lingering = lingering, list_life = list_life,
}
local moment, ledger = now(), { key = events, size = ledger_size }
local entry, holder, lost = 'g|' .. name, node .. ':' .. incarnation, nil
local kept, was_there = {}, false
for word in string.gmatch(redis.call('HGET', head, 'guests') or '', '%S+') do
  if string.sub(word, 1, 1) == '~' then
    lost = word
  elseif is_held_by(string.match(word, '^[^=]*'), node, incarnation) then
    was_there = true
  else
    kept[#kept + 1] = word
  end
end
if is_there then
  kept[#kept + 1] = holder .. '=' .. count
  redis.call('SADD', held, entry)
  redis.call('PEXPIRE', held, list_life)
  if must_announce == '1' then
    redis.call('SADD', holders, holder)
    redis.call('PEXPIRE', holders, list_life)
  end
else
  redis.call('SREM', held, entry)
end
-- Of whom nobody knew, or whose end was told by a sweep, no grace begins.
if grace ~= '' and (was_there or is_there) then lost = '~' .. left end
if lost then
  kept[#kept + 1] = lost
  -- Also where somebody has deleted what ends it.
  if grace ~= '' or not redis.call('ZSCORE', lingering, entry) then
    redis.call('ZADD', lingering, 'GT', moment + (tonumber(grace) or 0), entry)
    redis.call('PEXPIRE', lingering, list_life)
  end
end
write_guests(head, kept)
if #kept > 0 then
  if redis.call('ZADD', rooms, 'NX', moment, name) == 1 then note(ledger, 'room.occupied', '', name, came) end
  redis.call('PEXPIRE', rooms, life)
  keep(head, head_life)
else
  vacate(room, left, ledger)
end
return { 'ok', tell_count(room, told, ledger, moment) }
