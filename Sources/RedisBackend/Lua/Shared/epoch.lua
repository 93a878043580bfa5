-- Shared opening of the scripts that touch a room's head; put behind their first line when they are loaded.
--
-- An epoch belongs to one run of one Redis. `state` holds the server last met and the term it began; a head that
-- was written in an older term has its epoch closed at the present seq and goes on under a new one.

-- What a server's name says of its process.
local function process(run)
  return string.match(run, '^[^:]*')
end

-- The present term, and whether it still has to be written. A server may get another name while it goes on with all it
-- has, when its first replica comes, say: nodes that have not heard so yet call it what it `was`, and are no news.
local function meet(state, run)
  local seen = redis.call('HMGET', state, 'run', 'term', 'was')
  if seen[1] == run then return seen[2], false end
  if seen[3] == run and process(seen[1]) == process(run) then return seen[2], false end
  return tostring((tonumber(seen[2]) or 0) + 1), true
end

-- Writes that the term is of this server.
local function begin_term(state, run, term)
  redis.call('HSET', state, 'was', redis.call('HGET', state, 'run') or '', 'run', run, 'term', term)
end

-- The room's head as it is under this term: epoch, seq, ends (old epoch=last seq, newest first), and whether
-- that differs from what is stored; then what is stored of the bytes that the log holds (see `bound`), of how many are
-- due, and where nothing differs what it says of the room's settings (see `carry`). A head that is missing begins anew
-- under the candidate.
local function head_of(head, term, candidate)
  local stored = redis.call('HMGET', head, 'epoch', 'term', 'seq', 'ends', 'held', 'due', 'settings')
  if not stored[1] then return candidate, 0, '', 'missing' end
  local epoch, seq, ends = stored[1], tonumber(stored[3]), stored[4] or ''
  if stored[2] == term then return epoch, seq, ends, nil, stored[5], stored[6], stored[7] end
  local kept, count = epoch .. '=' .. stored[3], 1
  for old in string.gmatch(ends, '[^,]+') do
    if count >= 16 then break end
    kept, count = kept .. ',' .. old, count + 1
  end
  return candidate, seq, kept, 'closed', stored[5], stored[6]
end

-- Notes in the head what it says of the room's settings, so that scripts that read the head need not read those: their
-- version, a blank, and what a message has to be held against (`bars`, see `rights.lua`); or `0`, which a head with an epoch
-- may leave out. What another run holds of them may be older than what was told: their version goes on from
-- the clock. Answers the version; nil where there are no settings.
local function carry(settings, head, term)
  local stored = redis.call('HMGET', settings, 'version', 'term', 'bars')
  local version = tonumber(stored[1])
  if not version then
    redis.call('HDEL', head, 'settings')
    return nil
  end
  if stored[2] ~= term then
    version = math.max(now(), version + 1)
    redis.call('HSET', settings, 'version', version, 'term', term)
  end
  redis.call('HSET', head, 'settings', version .. ' ' .. stored[3])
  return version
end

-- Writes what `meet` and `head_of` found to be new. A log without its head is of no use: its numbers would collide. What
-- another run holds of the roster may be older than what was told: its version goes on from the clock.
local function settle(state, run, term, is_new_term, head, log, epoch, seq, ends, change, settings)
  if is_new_term then begin_term(state, run, term) end
  if change == 'missing' then redis.call('DEL', log) end
  if change == 'closed' and redis.call('HEXISTS', head, 'roster') == 1 then
    redis.call('HSET', head, 'roster', math.max(now(), tonumber(redis.call('HGET', head, 'roster'))))
  end
  if change then redis.call('HSET', head, 'epoch', epoch, 'term', term, 'seq', seq, 'ends', ends) end
  if change and settings then carry(settings, head, term) end
end

-- Appends entries of the log to `out` as seq, timestamp, body, leaving out those older than `oldest`; stops at
-- `limit` entries or with the one that makes them `most` bytes. Answers how many were appended and whether more may follow.
-- Few are read first, then about as many as are still wanted by their size: what is read and left is paid by nobody.
local function read_log(log, out, command, from, to, limit, most, oldest)
  local taken, bytes, wanted = 0, 0, math.min(2, limit)
  while taken < limit do
    local entries = redis.call(command, log, from, to, 'COUNT', wanted)
    for i, entry in ipairs(entries) do
      local fields = entry[2]
      if tonumber(fields[2]) >= oldest then
        out[#out + 1] = tonumber(string.match(entry[1], '^%d+'))
        out[#out + 1] = tonumber(fields[2])
        out[#out + 1] = fields[6]
        taken, bytes = taken + 1, bytes + #fields[6]
        if bytes >= most then return taken, i < #entries or #entries == wanted end
      end
    end
    if #entries < wanted then return taken, false end
    local likely = taken > 0 and math.ceil((most - bytes) * taken / math.max(1, bytes)) or 50
    wanted = math.min(50, limit - taken, math.max(1, likely))
    from = '(' .. entries[#entries][1]
  end
  return taken, true
end
