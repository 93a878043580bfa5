#!lua
-- govern: gives a room other settings, or closes it, where those that it has are what the caller has seen; tells all who
-- are in the room.
--
-- KEYS    1 settings, 2 head, 3 state, 4 log, 5 members, 6 the room's connections, 7 rooms, 8 linger, 9 events, 10 governed,
--         11 vacant, 12 out, 13 marks, 14 coordinator
-- ARGV    1 server, 2 the version that they replace (0: none), 3 attempt (0 the first, 1 a retry), 4 operation, 5 life of
--         a head without messages in ms, 6 PUBLISH or SPUBLISH, 7 the room's channel, 8 what the nodes' channels begin with,
--         9 room, 10 ledger size, 11 for how long it is remembered who was put out, in ms, 12 life of the marks in ms,
--         13 `set`, `close`, or `clear` (closed, and the log goes as well), 14 life of the settings while nobody renews
--         them, or of the version that is left, in ms (0: no end), 15 what caused it as the ledger is told, or '', then of
--         `set` 16 text, 17 locked, 18 most, 19 slow, 20 join, 21 publish, 22 roles, 23 handover (see `rights.lua`)
-- result  `ok`, the new version, the nodes whose connections were put out; `moved`, the present version
-- cost    O(what the settings hold); of a room that is closed O(its members), up to some 10,000 of who was put out before,
--         and with `clear` the log's length
local settings, head, state, log, members, conns, rooms = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local lingering, events, governed, vacant, out, marks = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13]
local coordinator = KEYS[14]
local run, replaced, attempt, operation, head_life, command = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local channel, nodes_channel, name, ledger_size, out_life = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local marks_life, what, life, caused_by, text, locked, most = ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17], ARGV[18]
local slow, joiners, senders, roles, handover = ARGV[19], ARGV[20], ARGV[21], ARGV[22], ARGV[23]
local term, is_new_term = meet(state, run)
if is_new_term then begin_term(state, run, term) end
local stored = redis.call('HMGET', settings, 'version', 'term', 'closed', 'last', 'given', 'mutes', 'host', 'bars')
local present = tonumber(stored[1])
if present and stored[2] ~= term then present = carry(settings, head, term) end
local before = attempt == '1' and made_before(stored[4], operation)
if before then return { 'ok', before, {} } end
local shown = (not present or stored[3] == '1') and 0 or present
if tonumber(replaced) ~= shown then return { 'moved', shown } end

local moment = now()
local version, ledger = present and present + 1 or tonumber(moment), { key = events, size = ledger_size, caused_by = caused_by }
local room = {
  name = name, members = members, conns = conns, rooms = rooms, head = head, head_life = head_life, command = command,
  channel = channel, nodes = nodes_channel, settings = settings, lingering = lingering, governed = governed,
  vacant = vacant, out = out, marks = marks, coordinator = coordinator, out_life = out_life, marks_life = marks_life,
}
local bars, told = '', {}
if what == 'set' then
  bars = names_of(stored[8])
    .. letters_for(senders, roles, slow, tonumber(stored[5] or 0) > 0, tonumber(stored[6] or 0) > 0)
  redis.call('HSET', settings, 'version', version, 'term', term, 'last', with_change(stored[4], operation, version),
    'closed', '', 'expires', life, 'bars', bars, 'text', text, 'locked', locked, 'most', most, 'slow', slow, 'join', joiners,
    'publish', senders, 'roles', roles, 'handover', handover)
  if shown == 0 then redis.call('HSET', settings, 'since', place_at(head, moment)) end
  local host = stored[7] or ''
  proclaim(room, version, bars, host)
  -- A chair that waited for its host may be one that is handed over from here on.
  if host ~= '' and handover ~= 'none' and read_member(room, host) == '' then offer_chair(room) end
else
  local nodes, all = {}, redis.call('HGETALL', members)
  redis.call('HDEL', room.governed, name)
  for i = 1, #all, 2 do
    expel(room, all[i], all[i + 1], ledger, nodes)
    step(room, moment)
  end
  if redis.call('HGET', head, 'hidden') then
    all = redis.call('HGETALL', head)
    for i = 1, #all, 2 do
      if string.sub(all[i], 1, 2) == 'h:' then expel(room, string.sub(all[i], 3), all[i + 1], ledger, nodes, true) end
    end
  end
  comb(out, out_life, moment, 10000, true)
  redis.call('ZREM', room.vacant, name)
  redis.call('DEL', settings)
  redis.call('HSET', settings, 'version', version, 'term', term, 'last', with_change(stored[4], operation, version),
    'closed', '1', 'shut', version, 'shut_at', moment, 'expires', 0, 'bars', '', 'text', '')
  proclaim(room, version, '', '')
  redis.call('HDEL', room.governed, name)
  told = tell_out(room, nodes, 'c', version, '', '')
end
if life == '0' then
  redis.call('PERSIST', settings)
else
  redis.call('PEXPIRE', settings, life)
end
if what == 'clear' then
  redis.call('DEL', log)
  redis.call('HDEL', head, 'held', 'due', 'slices')
end
note_change(ledger, 'room.updated', '', name,
  '{"version":' .. version .. (what == 'set' and ',"settings":' .. text or ',"closed":true') .. '}')
redis.call(command, channel, 'o ' .. version .. (what == 'set' and ' u ' .. life .. ' ' .. text or ' c 0 '))
return { 'ok', version, told }
