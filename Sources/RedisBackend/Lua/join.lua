#!lua
-- join: makes a connection's user a member of a room, and tells it if that is new.
--
-- KEYS    1 members, 2 the room's connections, 3 rooms, 4 head, 5 holders, 6 the node's set, 7 linger, 8 fence,
--         9 events, 10 state, 11 settings, 12 out
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 room, 6 info, 7 cause, 8 life of the keys in ms,
--         9 life of a head without messages in ms, 10 ledger size, 11 PUBLISH or SPUBLISH, 12 the room's channel,
--         13 the connection whose place it takes, or its grace's (empty: none), 14 life of `holders` and the node's
--         set, which outlive what they name, in ms, 15 server, 16 whether the node has to be put among the holders (0, 1),
--         17 of one that was there before, the incarnation under which its node had registered all of the partition: as long
--         as that is not fenced nobody was told that it had left, and nobody is told that it comes (empty: that is told),
--         18 whether the keys have to be given their lives (0, 1): not where the node has others in the room, which gave
--         them theirs and renews them; the first of all in a room gives them in any case, 19 whether the user is invisible
--         (0, 1): hidden in the head, then, and nobody is told, 20 life of a session in ms, 21 users in the room with whom
--         no further one is let in (0: no limit)
-- result  `ok`, members, roster version, now, epoch and seq of the room's stream (as `standing` tells them); `fenced`,
--         the incarnation below which the node is dead here; `barred`, why the user is not let in: `locked`, `full`,
--         `role`, `banned`, or `removed` of one that was put out since. Where the user's role may not read what was before, `ok`
--         is followed by the seq of the last message before the user came into the room (left out where that is not known)
-- cost    O(1), but for copying what is kept of the user's connections in the room, some 60 bytes each
local members, conns, rooms, head, holders, held = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local lingering, fences, events, state, settings, out = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local node, incarnation, connection, user, name, info = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local cause, life, head_life, ledger_size, command, channel = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local replaced, list_life, run, must_announce, past = ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17]
local must_keep, must_hide, session_life, most = ARGV[18], ARGV[19] == '1', ARGV[20], tonumber(ARGV[21])
local fence = redis.call('HGET', fences, node)
if fence and tonumber(fence) > tonumber(incarnation) then return { 'fenced', tonumber(fence) } end

local stored = redis.call('HGET', members, user)
local epoch, seq, governed, hidden = standing(state, head, run)
local is_hidden = false
if not stored and (hidden or must_hide) then
  stored = hidden and redis.call('HGET', head, 'h:' .. user)
  is_hidden = stored and true or must_hide
end
-- Who is a member stays one, and so does who was one before Redis lost it. A head that was never written to says nothing of
-- settings until it has been noted there that there are none.
local is_member = stored and true or false
if most > 0 and not is_member and cause == '' and redis.call('HLEN', members) + tonumber(hidden or 0) >= most then
  return { 'barred', 'full' }
end
local must_note = epoch == '' and not governed and not is_member and cause == ''
local is_governed, reads_past, shut_at, came = governed and governed ~= '0', true, nil, nil
if must_note or is_governed then
  local bar, has_settings, reads, shut, place = bar_join(settings, user, members, hidden, is_member, cause ~= '')
  if bar then return { 'barred', bar } end
  must_note, is_governed, reads_past = must_note and not has_settings, has_settings, reads
  shut_at, came = shut, place
end
local moment = now()
if is_governed or governed and governed ~= '0' then
  -- Who was put out does not come back as one that was there: not as registered again, nor as a session that goes on. Of one
  -- that was in no room by then, since its node was taken for dead or its grace was over, the user is named; of those that
  -- were in no room as it was closed nobody could be named: they come back where they have joined since.
  local is_back, is_shut = cause ~= '' or replaced ~= '', shut_at and moment - shut_at < tonumber(session_life)
  local former = cause ~= '' and connection or replaced
  local was = is_back and redis.call('HMGET', out, former, '@' .. user, '+' .. former)
  if was and (was[1] or not stored and (was[2] or is_shut and was[3] ~= shut_at)) then return { 'barred', 'removed' } end
  if not is_back then redis.call('HDEL', out, connection, '@' .. user) end
  if is_shut then
    redis.call('HSET', out, '+' .. connection, shut_at)
    if redis.call('PTTL', out) < tonumber(session_life) then redis.call('PEXPIRE', out, session_life) end
  end
end
local room = {
  members = members, head = head, head_life = head_life, command = command, channel = channel,
}
local packed = connections_of(stored or '')
if replaced ~= '' then
  local first, last = find_connection(packed, replaced)
  if first then
    packed = splice(packed, first, last, '')
    redis.call('SREM', conns, replaced)
    redis.call('ZREM', lingering, 'r|' .. name .. '|' .. user .. '|' .. replaced)
  end
end
local entry, holder = 'r|' .. name .. '|' .. user .. '|' .. connection, node .. ':' .. incarnation
local own, last = find_connection(packed, connection)
local text = spell_connection(connection, holder)
packed = own and splice(packed, own, last, text) or packed .. text
local target, field = members, user
if is_hidden then target, field = head, 'h:' .. user end
local is_new = redis.call('HSET', target, field, info .. packed) == 1
if is_new and is_hidden then redis.call('HINCRBY', head, 'hidden', 1) end
local count = redis.call('HLEN', members)
redis.call('SADD', conns, connection)
redis.call('SADD', held, entry)
if own then redis.call('ZREM', lingering, entry) end
if must_announce == '1' then
  redis.call('SADD', holders, holder)
  redis.call('PEXPIRE', holders, list_life)
end
local ledger = { key = events, size = ledger_size }
local must_begin = must_keep == '1' or count == 1 or is_hidden
if must_begin then
  -- Also where nothing is new: joined again after an outage, the keys may be at their end.
  redis.call('PEXPIRE', members, life)
  redis.call('PEXPIRE', conns, life)
  redis.call('PEXPIRE', held, list_life)
  if redis.call('ZADD', rooms, 'NX', moment, name) == 1 then note(ledger, 'room.occupied', '', name, cause) end
  redis.call('PEXPIRE', rooms, life)
end
if is_new then note(ledger, 'member.joined', user, name, cause) end
if is_new and is_governed and not came then
  came = place_at(head, moment)
  redis.call('HSET', settings, 'since:' .. user, came)
end
local since = not reads_past and came and tonumber(string.match(came, ' (%d+)$')) or nil
if is_new and not is_hidden then
  local version = step(room, moment)
  if must_note then redis.call('HSET', head, 'settings', '0') end
  keep(head, head_life)
  -- Who comes is told by the answer; who is registered again by this step, like the others.
  local events = { spell('j', cause == '' and connection or '-', user, info) }
  -- Redis had lost it, and the others know it: the step is of the version alone.
  if past ~= '' and tonumber(fence or 0) <= tonumber(past) then events = {} end
  publish(room, version, moment, events, count)
  return { 'ok', count, version, moment, epoch, seq, since }
end
if is_new and must_note then redis.call('HSET', head, 'settings', '0') end
redis.call('HSETNX', head, 'roster', moment)
keep(head, head_life)
local version = tonumber(redis.call('HGET', head, 'roster'))
return { 'ok', count, version, moment, epoch, seq, since }
