-- Shared opening of the scripts that heed a room's settings, which is where they are decided: two nodes with copies of
-- their own would let one too many in.
--
-- `settings` holds version, term, text (JSON), expires in ms, closed (1), and what is decided by: locked (1), most
-- (members), slow (ms), join and publish (roles, each between commas; '': the roles' rights), roles (`;name=,right,right,`
-- for each), `bars`, and `role:<user>`. All are '' where they say nothing.

-- Whether a role may do something: where the settings list who may, those and the host, else whoever's role has the right.
-- What roles without rights of their own may was decided before.
local function may(action, role, list, roles)
  if role == 'host' then return true end
  if list and list ~= '' then return string.find(list, ',' .. role .. ',', 1, true) ~= nil end
  local _, last = string.find(roles or '', ';' .. role .. '=', 1, true)
  if not last then return true end
  return string.find(string.match(roles, '^[^;]*', last + 1), ',' .. action .. ',', 1, true) ~= nil
end

-- Why a user may not join a room with these members, and so many hidden ones, nil where it is allowed; and whether the room has settings.
local function bar_join(settings, user, members, hidden)
  local found = redis.call('HMGET', settings, 'version', 'locked', 'most', 'join', 'roles', 'role:' .. user)
  if not found[1] then return nil, false end
  local role, most = found[6] or 'member', tonumber(found[3])
  if not may('join', role, found[4], found[5]) then return 'role', true end
  if found[2] == '1' and role ~= 'host' then return 'locked', true end
  if most and redis.call('HLEN', members) + (hidden or 0) >= most then return 'full', true end
  return nil, true
end

-- What a message of a client has to be held against, a letter each: m: members without a role of their own may send
-- none, r: some users have a role, s: slow mode.
local function bars_of(publish, roles, slow, has_roles)
  local bars = may('publish', 'member', publish, roles) and '' or 'm'
  if has_roles then bars = bars .. 'r' end
  if slow ~= '' then bars = bars .. 's' end
  return bars
end

-- Why a user may not send a message now, as it is answered; nil where it is allowed, and that is noted. The body is
-- `msgType length user payload`, as the node put it together.
local function bar_message(settings, pauses, bars, body, moment)
  local is_barred = string.find(bars, 'm', 1, true)
  if bars == 'm' then return 'role' end
  local length, start = string.match(body, '^%d+ (%d+) ()')
  local user = string.sub(body, start, start + length - 1)
  if string.find(bars, 'r', 1, true) then
    local role = redis.call('HGET', settings, 'role:' .. user)
    if role then
      local found = redis.call('HMGET', settings, 'publish', 'roles')
      is_barred = not may('publish', role, found[1], found[2])
    end
  end
  if is_barred then return 'role' end
  if not string.find(bars, 's', 1, true) then return nil end
  local slow = tonumber(redis.call('HGET', settings, 'slow'))
  local last = redis.call('ZSCORE', pauses, user)
  local passed = last and moment - last or slow
  if passed >= 0 and passed < slow then return 'slow ' .. slow - passed end
  redis.call('ZREMRANGEBYSCORE', pauses, '-inf', moment - slow)
  redis.call('ZADD', pauses, moment, user)
  redis.call('PEXPIRE', pauses, slow)
  return nil
end
