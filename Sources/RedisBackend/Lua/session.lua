-- Shared opening of `connect` and `session_resume`, behind those of the presence scripts and of verdicts; both have the
-- same KEYS and ARGV, which `connect` lists.

-- In base 36, so that a record stays below the 64 bytes up to which Redis packs a hash.
local function base36(number)
  local text = ''
  repeat
    local digit = number % 36
    text = string.sub('0123456789abcdefghijklmnopqrstuvwxyz', digit + 1, digit + 1) .. text
    number = (number - digit) / 36
  until number == 0
  return text
end

local marks = { key = KEYS[9], life = ARGV[9], command = ARGV[12], channel = ARGV[17] }

-- The fence below which the caller is dead in this partition; nil where it is not.
local function fenced()
  local fence = tonumber(redis.call('HGET', KEYS[7], ARGV[1]))
  return fence and fence > tonumber(ARGV[2]) and fence or nil
end

-- Sees that the user has room for this connection, which may take the place of `old`. Answers the nodes of those that
-- were marked to be closed for it, or nil where it is the newest that is refused. Lingering ones do not count, unless
-- they are very many, nor do those that are marked already.
local function admit(old)
  local nodes, limit = {}, tonumber(ARGV[15])
  if limit == 0 then return nodes end
  local count = redis.call('HLEN', KEYS[1])
  if count < limit then return nodes end
  -- Each in its grace leaves a session behind, for minutes: who drops connections and makes new ones waits for the grace.
  if old == '' and count >= limit + math.max(limit, 100) then return nil end
  local live, all = {}, redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local holder, since = string.match(all[i + 1], '^([^~ ][^ ]*) (%S+) %S+$')
    if holder and all[i] ~= ARGV[3] and all[i] ~= old then
      live[#live + 1] = { all[i], holder, tonumber(since, 36), all[i + 1] }
    end
  end
  if #live < limit then return nodes end
  if ARGV[16] == 'refuseNewest' then return nil end
  table.sort(live, function(a, b) return a[3] < b[3] or a[3] == b[3] and a[1] < b[1] end)
  for i = 1, #live - limit + 1 do
    redis.call('HSET', KEYS[1], live[i][1], live[i][4] .. ' !')
    nodes[i] = mark(marks, live[i][1], live[i][2], 4409, 'replaced by a newer connection')
  end
  return nodes
end

-- Writes the connection's record and entry and the session's fields, and tells that the user is online if that is new.
-- Answers since when the connection is there. That is after the user was last disconnected, though both were in one
-- millisecond or the clock has gone back: what has been let in since is not what was ended then.
local function register(moment, said)
  local connection, user, life = ARGV[3], ARGV[4], ARGV[9]
  local entry, holder = 'u|' .. connection .. '|' .. user, ARGV[1] .. ':' .. ARGV[2]
  local since = tonumber(ARGV[7])
  local start = moment
  if said and tonumber(moment) <= said.ended then start = string.format('%.0f', said.ended + 1) end
  if since == 0 then since = tonumber(start) end
  local text = holder .. ' ' .. base36(since) .. ' ' .. ARGV[6]
  if redis.call('HSETNX', KEYS[1], connection, text) == 0 then
    local began, rest = string.match(redis.call('HGET', KEYS[1], connection), '^%S+ (%S+) %S+(.*)$')
    since = tonumber(began, 36)
    redis.call('HSET', KEYS[1], connection, holder .. ' ' .. began .. ' ' .. ARGV[6] .. rest)
    redis.call('ZREM', KEYS[6], entry)
  end
  redis.call('PEXPIRE', KEYS[1], life)
  redis.call('HSET', KEYS[3], 'u', user, 'c', connection, 'a', ARGV[5], 't', start)
  redis.call('PEXPIRE', KEYS[3], ARGV[10])
  if ARGV[20] == '1' then
    redis.call('SADD', KEYS[4], holder)
    redis.call('PEXPIRE', KEYS[4], ARGV[18])
  end
  redis.call('SADD', KEYS[5], entry)
  redis.call('PEXPIRE', KEYS[5], ARGV[18])
  if redis.call('ZADD', KEYS[2], 'NX', moment, user) == 1 then
    note({ key = KEYS[8], size = ARGV[11] }, 'user.online', user, '', ARGV[8])
    redis.call(ARGV[12], ARGV[13], 's 1 ' .. moment)
  end
  -- Also where nothing is new: registered again after an outage, the key may be at its end.
  redis.call('PEXPIRE', KEYS[2], life)
  return since
end
