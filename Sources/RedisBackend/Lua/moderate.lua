#!lua
-- moderate: changes what a user is in a room, or may do there: gives a role, mutes, bans, takes out, and tells all whom it
-- concerns. Of a client it is held against the client's own role.
--
-- KEYS    1 settings, 2 head, 3 state, 4 members, 5 the room's connections, 6 rooms, 7 linger, 8 events, 9 governed,
--         10 vacant, 11 out, 12 marks, 13 coordinator
-- ARGV    1 server, 2 attempt (0 the first, 1 a retry), 3 operation, 4 life of a head without messages in ms, 5 PUBLISH or
--         SPUBLISH, 6 the room's channel, 7 what the nodes' channels begin with, 8 room, 9 ledger size, 10 for how long it is
--         remembered who was put out, in ms, 11 life of the marks in ms, 12 users with a role, mute or banned at most,
--         13 `role`, `mute`, `unmute`, `ban`, `unban`, `remove` or `admit` (past a lock and roles that may not), 14 user,
--         15 the client that asks and 16 its connection ('' both: a backend), 17 the role; or until when in ms, 0: without
--         end, 18 reason, 19 what caused it as the ledger is told, or ''
-- result  `ok`, the version, the nodes whose connections were put out; `denied`, why: `outside`, `right` or `rank`;
--         `absent` where the user is not in the room, `crowded` where there are as many as may be
-- cost    O(the user's connections in the room), and some hundreds of who was put out before; where very many are mute or
--         banned, or names are to be looked up again (see `names_with`), O(what the settings hold)
local settings, head, state, members, conns, rooms = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local lingering, events, governed, vacant, out, marks = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local coordinator = KEYS[13]
local run, attempt, operation, head_life, command, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local nodes_channel, name, ledger_size, out_life, marks_life = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local crowd, what, user, actor, connection, value = ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17]
local reason, caused_by = ARGV[18], ARGV[19]
local term, is_new_term = meet(state, run)
if is_new_term then begin_term(state, run, term) end
local stored = redis.call('HMGET', settings, 'version', 'term', 'closed', 'last', 'host', 'roles', 'publish', 'slow', 'text',
  'expires', 'role:' .. user, 'given', 'mutes', 'bans', 'bars')
local present = tonumber(stored[1])
if present and stored[2] ~= term then present = carry(settings, head, term) end
local before = attempt == '1' and made_before(stored[4], operation)
if before then return { 'ok', before, {} } end
local is_open = present and stored[3] ~= '1'
local host, roles, role = stored[5] or '', stored[6] or '', stored[11] or 'member'
local packed, is_hidden = read_member({ members = members, head = head }, user)
if packed == '' then packed = nil end

-- Whether all of these rights are among others.
local function holds_all(rights, others)
  for right in string.gmatch(others, '[^,]+') do
    if not string.find(rights, ',' .. right .. ',', 1, true) then return false end
  end
  return true
end
if actor ~= '' then
  local _, _, holder = find_connection(read_member({ members = members, head = head }, actor), connection)
  if not holder or string.sub(holder, 1, 1) == '~' then return { 'denied', 'outside' } end
  local own = rights_of(redis.call('HGET', settings, 'role:' .. actor) or 'member', roles)
  if not string.find(own, ',moderate,', 1, true) then return { 'denied', 'right' } end
  if not holds_all(own, rights_of(role, roles)) then return { 'denied', 'rank' } end
  if what == 'role' and not holds_all(own, rights_of(value, roles)) then return { 'denied', 'rank' } end
end

-- Puts a field, or takes it away for '', and counts those there are.
local counts = { given = tonumber(stored[12] or 0), mutes = tonumber(stored[13] or 0), bans = tonumber(stored[14] or 0) }
local many = counts.given + counts.mutes
local function put(field, text, count)
  if text == '' then
    counts[count] = counts[count] - redis.call('HDEL', settings, field)
  else
    counts[count] = counts[count] + redis.call('HSET', settings, field, text)
  end
end

-- Takes away what has ended, where there is much of it; answers whether there is room for one more.
local moment = now()
local function has_room()
  if counts.given + counts.mutes + counts.bans < math.min(1000, tonumber(crowd)) then return true end
  local all = redis.call('HGETALL', settings)
  for i = 1, #all, 2 do
    local kind = string.match(all[i], '^(%a+):')
    if (kind == 'mute' or kind == 'ban') and not holds(all[i + 1], moment) then put(all[i], '', kind .. 's') end
  end
  redis.call('HSET', settings, 'mutes', counts.mutes, 'bans', counts.bans)
  return counts.given + counts.mutes + counts.bans < tonumber(crowd)
end

local is_added = what == 'mute' or what == 'ban' or what == 'admit' or what == 'role' and value ~= 'member'
if is_added and not has_room() then return { 'crowded' } end
if what == 'remove' and not packed then
  if is_open then
    comb(out, out_life, moment, 100)
    redis.call('HSET', out, '@' .. user, moment)
    redis.call('PEXPIRE', out, out_life)
  end
  return { 'absent' }
end
if what == 'role' then
  if value == role and (value ~= 'host' or host == user) then return { 'ok', is_open and present or 0, {} } end
  if value == 'host' and not packed then return { 'absent' } end
  if value == 'host' and host ~= '' then put('role:' .. host, '', 'given') end
  if value == 'host' then host = user elseif host == user then host = '' end
  put('role:' .. user, value == 'member' and '' or value, 'given')
elseif what == 'mute' then
  put('mute:' .. user, value, 'mutes')
elseif what == 'unmute' then
  put('mute:' .. user, '', 'mutes')
elseif what == 'ban' then
  put('ban:' .. user, value, 'bans')
  if host ~= user then put('role:' .. user, '', 'given') end
  redis.call('HDEL', settings, 'in:' .. user)
elseif what == 'unban' then
  put('ban:' .. user, '', 'bans')
elseif what == 'admit' then
  -- Of no concern to anybody but the user.
  if is_open and not packed then redis.call('HSET', settings, 'in:' .. user, '1') end
  return { 'ok', is_open and present or 0, {} }
end

local version, ledger = present and present + 1 or tonumber(moment), { key = events, size = ledger_size, caused_by = caused_by }
local room = {
  name = name, members = members, conns = conns, rooms = rooms, head = head, head_life = head_life, command = command,
  channel = channel, nodes = nodes_channel, settings = settings, lingering = lingering, governed = governed,
  vacant = vacant, out = out, marks = marks, coordinator = coordinator, out_life = out_life, marks_life = marks_life,
}
local text, life = stored[9] or '', stored[10] or '0'
if not is_open then
  -- Who was put out of a room without settings is all that there is to be known of it, for a while.
  text, life = '{}', what == 'remove' and out_life or '0'
  redis.call('HSET', settings, 'closed', '', 'text', text, 'expires', life)
  if life == '0' then redis.call('PERSIST', settings) else redis.call('PEXPIRE', settings, life) end
elseif text == '{}' and life ~= '0' and what ~= 'remove' then
  life = '0'
  redis.call('HSET', settings, 'expires', life)
  redis.call('PERSIST', settings)
end
if not is_open then redis.call('HSET', settings, 'since', place_at(head, moment)) end
local bars = names_with(stored[15], many, settings, moment, user, stored[5] or user)
  .. letters_for(stored[7] or '', roles, stored[8] or '', counts.given > 0, counts.mutes > 0)
redis.call('HSET', settings, 'version', version, 'term', term, 'last', with_change(stored[4], operation, version), 'bars', bars,
  'host', host, 'given', counts.given, 'mutes', counts.mutes, 'bans', counts.bans)
proclaim(room, version, bars, host)

local told, details = {}, '{"version":' .. version
if what == 'ban' or what == 'remove' then
  if packed then
    local nodes = {}
    comb(out, out_life, moment, 100)
    local event = expel(room, user, packed, ledger, nodes, is_hidden)
    told = tell_out(room, nodes, 'r', version, user, reason)
    if event then publish(room, step(room, moment), moment, { event }) end
  end
  if reason ~= '' then details = details .. ',"reason":' .. cjson.encode(reason) end
end
if what == 'ban' and value ~= '0' then details = details .. ',"until":' .. value end
if what == 'role' then
  note_change(ledger, 'member.role', user, name, details .. ',"role":"' .. value .. '"}')
  if value == 'host' then note_change(ledger, 'room.host_changed', user, name, details .. '}') end
elseif what == 'remove' then
  note_change(ledger, 'member.removed', user, name, details .. '}')
elseif what == 'ban' then
  note_change(ledger, 'member.banned', user, name, details .. '}')
end
local change = ' u ' .. life .. ' ' .. text
if what == 'role' then
  change = (value == 'host' and ' h ' or ' r ') .. #user .. ' ' .. user .. value
elseif what == 'mute' then
  change = ' m ' .. value .. ' ' .. user
elseif what == 'unmute' then
  change = ' n 0 ' .. user
elseif what == 'ban' and stored[11] and host ~= user then
  -- The ban has taken it.
  change = ' r ' .. #user .. ' ' .. user .. 'member'
end
redis.call(command, channel, 'o ' .. version .. change)
return { 'ok', version, told }
