-- Shared opening of the scripts that heed a room's settings, which is where they are decided: two nodes with copies of
-- their own would let one too many in.
--
-- `settings` holds version, term, text (JSON), expires in ms, closed (1), shut (the version that closed the room last) and
-- shut_at (when in ms), last
-- (the last changes, each `operation=version`), host (who has the chair), handover, given, mutes and bans (how many users
-- have a role, are mute, are banned), and what is decided by: locked (1), most (members), slow (ms), join and publish (roles,
-- each between commas; '': the roles' rights), roles (`;name=,right,right,` for each), `bars` (names of all who have a role or are
-- mute, and perhaps of some who were, each between zero bytes, or none where those are too many; then letters, see
-- `letters_for`), and of a user `role:<user>`,
-- `mute:<user>` and `ban:<user>` (until when in ms, 0: without end), `since:<user>` (when a member came in: in ms, a blank,
-- the seq of the room's last message before that), `since` (the same of when the room got its settings: a member who has no
-- other has been in it longer), `in:<user>` (a backend has let in past a lock). All are '' or left out where they say nothing.

-- What a role may, each right between commas. What roles without rights of their own may was decided before.
local function rights_of(role, roles)
  if role == 'host' then return ',join,publish,history,presence,signal,moderate,settings,' end
  local _, last = string.find(roles or '', ';' .. role .. '=', 1, true)
  if last then return string.match(roles, '^[^;]*', last + 1) end
  return ',join,publish,history,presence,signal,' .. (role == 'moderator' and 'moderate,' or '')
end

-- Whether a role may do something: where the settings list who may, those and the host, else whoever's role has the right.
local function may(action, role, list, roles)
  if role == 'host' then return true end
  if list and list ~= '' then return string.find(list, ',' .. role .. ',', 1, true) ~= nil end
  return string.find(rights_of(role, roles), ',' .. action .. ',', 1, true) ~= nil
end

-- Whether what ends at this moment, where it ends, still holds.
local function holds(ends, moment)
  return ends and (ends == '0' or tonumber(ends) > tonumber(moment))
end

-- Why a user may not join a room with these members, and so many hidden ones, nil where it is allowed; whether the room has
-- settings; whether the user's role may read what was before; when the room was closed last, nil where it never was; and
-- of one who is or was a member since when, as `since:<user>` says it, nil where that is not known.
-- Who is a member stays one, and who `was` one before Redis lost it, but for a ban.
local function bar_join(settings, user, members, hidden, is_member, was)
  local found = redis.call('HMGET', settings, 'version', 'locked', 'most', 'join', 'roles', 'role:' .. user,
    'ban:' .. user, 'in:' .. user, 'shut_at', 'since:' .. user, 'since')
  if not found[1] then return nil, false, true end
  local role, most = found[6] or 'member', tonumber(found[3])
  local reads_past = may('history', role, nil, found[5])
  if found[7] and holds(found[7], now()) then return 'banned', true end
  if is_member or was then return nil, true, reads_past, found[9], found[10] or is_member and found[11] or nil end
  if not found[8] then
    if not may('join', role, found[4], found[5]) then return 'role', true end
    if found[2] == '1' and role ~= 'host' then return 'locked', true end
  end
  if most and redis.call('HLEN', members) + (hidden or 0) >= most then return 'full', true end
  if found[8] then redis.call('HDEL', settings, 'in:' .. user) end
  return nil, true, reads_past, found[9]
end

-- What a message or a signal of a client has to be held against, a letter each: m: members without a role of their own may
-- send none, g: nor signals, r: some users have a role, of which not all may, u: some are mute, s and ms: slow mode.
local function letters_for(senders, roles, slow, has_roles, has_mutes)
  local bars = may('publish', 'member', senders, roles) and '' or 'm'
  if not may('signal', 'member', nil, roles) then bars = bars .. 'g' end
  -- Where nothing is said of who may, every role may.
  if has_roles and (senders ~= '' or roles ~= '') then bars = bars .. 'r' end
  if has_mutes then bars = bars .. 'u' end
  if slow ~= '' then bars = bars .. 's' .. slow end
  return bars
end

-- The letters of what ends with bars, and of slow mode its ms; '' where nothing is to be held against anything. Five letters
-- and the eight digits of a day are the most; a version without any, which ends with a blank, is the most frequent.
local function letters_of(bars)
  if not bars or string.byte(bars, -1) == 32 then return '', '' end
  return string.match(bars, '([mgru]*s?)(%d*)$', -16)
end

-- The names before the letters of bars, with the zero bytes around them; '' where there are none.
local function names_of(bars)
  return string.match(bars or '', '^%z.*%z') or ''
end

-- Why a user may not do something that ends on others' screens; nil where it is allowed. `bars` ends with these letters;
-- `letter` is what stands among them where members without a role of their own may not.
local function bar_user(settings, bars, letters, letter, action, user, moment)
  local is_barred = string.find(letters, letter, 1, true)
  if string.find(letters, '[ru]')
    and (string.find(bars, '\0' .. user .. '\0', 1, true) or not string.find(bars, '\0', 1, true))
  then
    local found = redis.call('HMGET', settings, 'role:' .. user, 'mute:' .. user)
    if holds(found[2], moment) then return 'muted' end
    if found[1] then
      local said = redis.call('HMGET', settings, 'publish', 'roles')
      is_barred = not may(action, found[1], action == 'publish' and said[1], said[2])
    end
  end
  return is_barred and 'role' or nil
end

-- Why a user may not send a message now, as it is answered; nil where it is allowed, and that is noted. The body is
-- `msgType length user payload`, as the node put it together.
local function bar_message(settings, pause, bars, body, moment)
  local letters, slow = letters_of(bars)
  if letters == '' then return nil end
  if letters ~= 's' then
    local length, start = string.match(body, '^[%d.]+ (%d+) ()')
    local bar = bar_user(settings, bars, letters, 'm', 'publish', string.sub(body, start, start + length - 1), moment)
    if bar then return bar end
  end
  if slow == '' or redis.call('SET', pause, '', 'PX', slow, 'NX') then return nil end
  local left = redis.call('PTTL', pause)
  if left >= 0 and left <= tonumber(slow) then return 'slow ' .. math.max(left, 1) end
  -- From when the mode was slower, or the clock later.
  redis.call('SET', pause, '', 'PX', slow)
  return nil
end
