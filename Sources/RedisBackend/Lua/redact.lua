#!lua flags=allow-oom
-- redact: takes the payload of a room's message away, or of all that a user sent there, or of all that there are: from the
-- log, the partition's stream, the ledger and its dead letters; has the archive do the same, and tells the members.
--
-- The payload becomes `null` behind a blank, which nobody can send: so what reads a message knows it, and a node of an
-- earlier release reads `null`. A stream's entries do not change. So the log and dead letters are written anew under their
-- ids; of the partition's stream, whose readers have places, the entry goes, and one that says `redacted` comes at its end;
-- and the ledger's readers look into `withheld`.
--
-- KEYS    1 head, 2 log, 3 what is written anew, then those of the flags, in this order: i the user's connections;
--         g members, settings; m messages; a redactions; e withheld, events; then the receivers' dead letters
-- ARGV    1 PUBLISH or SPUBLISH, 2 channel; of an inbox what the channels of nodes begin with, 3 flags (i: an inbox, m: its
--         messages go into the partition's stream, a: and into the archive, e: and into the ledger, g: a client asks,
--         whose role has to allow it), 4 room, 5 its owner,
--         6 size of the stream, 7 `one`, `user` or `all`, 8 seq, or user, 9 epoch of the one ('': whichever the room's
--         count runs through), 10 how many lists of dead letters, 11 the client that asks and 12 its
--         connection ('' both: a backend)
-- result  how many were taken away now, epoch ('': the room never had such a message, or a client cannot name it), seq,
--         version of the settings; below 0, and why the client may not: `outside` or `right`
-- cost    O(the log) where it changes, O(dead letters), and for each message O(the partition's entries of its millisecond)
local head, log, anew = KEYS[1], KEYS[2], KEYS[3]
local command, channel, flags, room, owner = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local stream_size, what, wanted, wanted_epoch, receivers = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local author, connection = ARGV[11], ARGV[12]

local taken = 3
local function key_of(flag)
  if not string.find(flags, flag, 1, true) then return nil end
  taken = taken + 1
  return KEYS[taken]
end
local conns, members, settings = key_of('i'), key_of('g'), key_of('g')
local messages, redactions, withheld, events = key_of('m'), key_of('a'), key_of('e'), key_of('e')
local dead = { unpack(KEYS, taken + 1, taken + tonumber(receivers)) }

if members then
  local _, _, holder = find_connection(read_member({ members = members, head = head }, author), connection)
  if not holder or string.sub(holder, 1, 1) == '~' then return { -1, 'outside', 0, 0 } end
  local found = redis.call('HMGET', settings, 'role:' .. author, 'roles')
  if not may('moderate', found[1] or 'member', nil, found[2]) then return { -1, 'right', 0, 0 } end
end

-- What a body says but for the payload, and whether that is there still.
local function parts(body)
  local kind, event, except, length, start = string.match(body, '^(%d+)%.?(%d*)%.?(%d*) (%d+) ()')
  local rest = start + tonumber(length)
  local payload = rest + (tonumber(event) or 0) + (tonumber(except) or 0)
  return kind, string.sub(body, start, rest - 1), string.sub(body, payload) ~= ' null', string.sub(body, 1, payload - 1)
end

-- Writes a stream anew with what `change` makes of its entries' fields, under the same ids and for as long.
local function rewrite(stream, change)
  local life, from = redis.call('PTTL', stream), '-'
  redis.call('DEL', anew)
  repeat
    local entries = redis.call('XRANGE', stream, from, '+', 'COUNT', 100)
    for _, entry in ipairs(entries) do
      redis.call('XADD', anew, entry[1], unpack(change(entry[1], entry[2]) or entry[2]))
      from = '(' .. entry[1]
    end
  until #entries < 100
  redis.call('RENAME', anew, stream)
  if life > 0 then redis.call('PEXPIRE', stream, life) end
end

-- The stretch of the room's present count that a seq lies in; nil where the count has not come so far.
local function epoch_of(epoch, seq, ends, number)
  if number < 1 or number > seq then return nil end
  local found = epoch
  for old, last in string.gmatch(ends, '([^=,]+)=(%d+)') do
    if number > tonumber(last) then break end
    found = old
  end
  return found
end

-- Whether the room may have had a message of this number in this epoch: one that its count knows, behind the end of the
-- epoch before. What lies behind its own end was lost with a Redis that failed, and the archive may have it.
local function may_be_of(wanted_epoch, epoch, seq, ends, number)
  if number < 1 or number > seq then return false end
  local is_known = wanted_epoch == epoch
  for old, last in string.gmatch(ends, '([^=,]+)=(%d+)') do
    if is_known then return number > tonumber(last) end
    is_known = wanted_epoch == old
  end
  return is_known
end

-- The head as it is: whoever reads or writes the room next closes an epoch of another run of Redis.
local stored = redis.call('HMGET', head, 'epoch', 'seq', 'ends', 'settings')
local epoch, seq, ends = stored[1] or '', tonumber(stored[2]) or 0, stored[3] or ''
local version = tonumber(string.match(stored[4] or '', '^%d+')) or 0

-- By seq: kind, user, timestamp of those whose payload goes; in order.
local found, order = {}, {}
local function add(id, fields)
  local number = tonumber(string.match(id, '^%d+'))
  local kind, user, has_payload = parts(fields[6])
  if not has_payload or what == 'user' and user ~= wanted then return end
  found[number], order[#order + 1] = { kind, user, fields[2] }, number
end
-- Of the one that is asked for.
local is_present, its = true, nil
if what == 'one' then
  local number = tonumber(wanted)
  its = epoch_of(epoch, seq, ends, number)
  if wanted_epoch ~= '' and wanted_epoch ~= its then
    -- Of a count that was before this one: the archive alone can have it. A client cannot name what the room never had, since
    -- whatever is named is noted.
    if not redactions or members and not may_be_of(wanted_epoch, epoch, seq, ends, number) then
      return { 0, '', 0, version }
    end
    is_present, its = false, wanted_epoch
  elseif not its then
    return { 0, '', 0, version }
  end
  if is_present then
    local entry = redis.call('XRANGE', log, wanted .. '-0', wanted .. '-0')[1]
    if entry then
      add(entry[1], entry[2])
      -- It is gone already, and what is told of it was told with that.
      if #order == 0 then return { 0, its, number, version } end
    end
  end
  -- What the log has let go of may be elsewhere still; but not where the archive is yet to do what it was asked before.
  if #order == 0 then
    local asked = redactions and redis.call('HEXISTS', redactions, its .. ' ' .. string.format('%.0f', number) .. ' ' .. room)
    if asked == 1 then return { 0, its, number, version } end
    found[number], order[1] = {}, number
  end
else
  local from = '-'
  repeat
    local entries = redis.call('XRANGE', log, from, '+', 'COUNT', 100)
    for _, entry in ipairs(entries) do
      add(entry[1], entry[2])
      from = '(' .. entry[1]
    end
  until #entries < 100
  if #order == 0 then return { 0, epoch, seq, version } end
end

local function without_payload(fields, index)
  local changed = { unpack(fields) }
  local _, _, _, before = parts(fields[index])
  changed[index] = before .. ' null'
  return changed
end
if found[order[1]][1] then
  rewrite(log, function(id, fields)
    if found[tonumber(string.match(id, '^%d+'))] then return without_payload(fields, 6) end
  end)
end

-- Takes a message's entry from the partition's stream. It was put there in the millisecond of its timestamp, unless Redis was
-- held up in between, for seconds at most, or the clock had been set back: then, and where the time is not known, it is
-- looked for from the end on.
local function take_out(number, its_epoch, timestamp)
  local function is_it(entry)
    local fields = entry[2]
    return fields[2] == room and fields[4] == number and fields[6] == its_epoch and fields[11] == 'payload'
  end
  local function among(entries)
    for _, entry in ipairs(entries) do
      if is_it(entry) then
        redis.call('XDEL', messages, entry[1])
        return entry[2]
      end
    end
  end
  local fields = timestamp and among(redis.call('XRANGE', messages, timestamp, timestamp))
  if fields then return fields end
  local first = redis.call('XRANGE', messages, '-', '+', 'COUNT', 1)[1]
  if not first or timestamp and tonumber(string.match(first[1], '^%d+')) > timestamp + 60000 then return nil end
  local to, read = '+', 0
  repeat
    local entries = redis.call('XREVRANGE', messages, to, '-', 'COUNT', 200)
    fields = among(entries)
    read = read + #entries
    if #entries > 0 then to = '(' .. entries[#entries][1] end
  until fields or #entries < 200 or read >= 20000
  return fields
end

local oldest
if withheld then
  local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  -- A clock that was set back leaves younger messages behind older ones.
  oldest = first and tonumber(string.match(first[1], '^%d+')) - 86400000
  redis.call('ZREMRANGEBYSCORE', withheld, '-inf', oldest or '+inf')
end

-- By epoch and seq.
local gone, seqs = {}, {}
for i, number in ipairs(order) do
  local kind, user, timestamp = found[number][1], found[number][2], found[number][3]
  local written = string.format('%.0f', number)
  local its_epoch = its or epoch_of(epoch, seq, ends, number)
  seqs[#seqs + 1] = written
  if messages then
    local fields = is_present and take_out(written, its_epoch, timestamp)
    if fields then user, kind, timestamp = fields[8], fields[10], fields[14] end
    redis.call('XADD', messages, 'MAXLEN', '~', stream_size, '*', 'roomId', room, 'seq', written, 'epoch', its_epoch,
      'userId', user or '', 'msgType', kind or '1', 'redacted', '1', 'payload', 'null', 'timestamp', timestamp or now())
  end
  if redactions then
    local known = kind and kind .. ' ' .. timestamp .. ' ' .. user or ''
    redis.call('HSET', redactions, its_epoch .. ' ' .. written .. ' ' .. room, known)
  end
  gone[its_epoch .. ' ' .. written] = true
  if oldest then redis.call('ZADD', withheld, timestamp or now(), its_epoch .. ' ' .. written .. ' ' .. owner) end
  -- Those of one epoch are told together.
  local next = order[i + 1]
  if #seqs == 100 or not next or epoch_of(epoch, seq, ends, next) ~= its_epoch then
    local told = its_epoch .. ' ' .. (is_present and 1 or 0) .. ' '
    local list = table.concat(seqs, ',')
    seqs = {}
    if conns then
      local nodes = {}
      for _, record in ipairs(redis.call('HVALS', conns)) do
        local node = string.match(record, '^([^~:][^:]*):')
        if node then nodes[node] = true end
      end
      for node in pairs(nodes) do
        redis.call(command, channel .. node, 'r ' .. told .. #owner .. ' ' .. owner .. list)
      end
    else
      redis.call(command, channel, 'x ' .. told .. list)
    end
  end
end

local function is_gone(letter)
  return letter[16] and letter[6] == owner and gone[letter[10] .. ' ' .. letter[12]]
end
for _, letters in ipairs(dead) do
  for _, entry in ipairs(redis.call('XRANGE', letters, '-', '+')) do
    if is_gone(entry[2]) then
      rewrite(letters, function(_, fields)
        if is_gone(fields) then return without_payload(fields, 16) end
      end)
      break
    end
  end
end
return { #order, its or epoch, order[#order], version }
