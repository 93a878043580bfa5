#!lua
-- publish: gives a message the room's next seq, appends it to the log and sends it to the members, in one step.
--
-- KEYS    1 state, 2 head, 3 log, then those of the flags, in this order: s settings; c the sender's pause; d dedupe; i the user's
--         connections, online; e events, held; m messages, held
-- ARGV    1 server, 2 candidate for a new epoch, 3 attempt (0 the first, 1 a retry), 4 operation (eight characters that
--         name its link, then its number there, which grows from call to call), 5 log size, 6 log age in ms,
--         7 life of the head in ms, 8 PUBLISH or SPUBLISH,
--         9 channel; of an inbox what the channels of nodes begin with, 10 body, 11 life of the dedupe key in ms,
--         12 connection, 13 flags (in this order: s: to a room that can have settings, c: which bind the sender; then d: with a dedupe key,
--         i: to an inbox, e: the ledger is told, m: it goes into the partition's stream of messages, r: the caller waits
--         for replicas, v: it is sent and not stored, so without d, m, r), 14 user (of an inbox) or room, 15 ledger size,
--         16 size of the stream, 17 log bytes, 18 ledger bytes, 19 bytes of the stream, 20 what caused it
--         as the ledger is told, or ''
-- result  epoch, seq, timestamp ('' and 0 of one that is not stored), and of an inbox whether the user is online (0, 1) and on how many connections;
--         error, of a retry alone: `MARTLET refused` (it was not stored and one after it was: stored now it would stand
--         behind that), `MARTLET unknown` (it may have been stored, and the log does not hold that any more); `BARRED role`
--         or `BARRED slow` and how long that lasts in ms: the room's settings do not allow it
-- cost    O(the user's connections) for an inbox, else O(1); a connection's first retry reads the log back to the link's
--         entry before it, or to five minutes ago, the longest that a command is retried, 5,000 entries at most; its
--         later ones go on from there
local state, head, log, fourth, fifth = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local run, candidate, attempt, operation, log_size, log_age = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local head_life, command, channel, body, dedupe_life, client = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local flags, name, ledger_size, stream_size, log_bytes = ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17]
local ledger_bytes, stream_bytes, caused_by = ARGV[18], ARGV[19], ARGV[20]

-- What has become of an operation that is retried: its entry; or `refused` or `unknown`; or nothing, where neither it nor
-- one after it was stored. Then the seq behind which the link's next retry has to look, where that is known.
--
-- A link's operations stand in the log in the order of their numbers: it sends and retries them so, and none is stored
-- behind a later one. `mark` is a seq from an earlier retry on the same connection: what is asked for lies behind it.
-- Without one the log is read from its end, where an entry counts for a minute before the next at most: a clock that
-- has stepped forward makes no entry old. For the same reason what the log has let go of counts as old only where what is
-- left of it spans the time without the longest pause in it.
local function find(log, seq, operation, mark)
  local link, number = string.sub(operation, 1, 8), tonumber(string.sub(operation, 9))
  local command, from, to, read, count = 'XREVRANGE', '+', '-', 0, 4
  if mark then command, from, to = 'XRANGE', '(' .. mark .. '-0', '+' end
  local verdict, place, age, newer = nil, mark or seq + 1, 0, tonumber(now())
  local span, longest = 0, 0
  while read < 5000 do
    local entries = redis.call(command, log, from, to, 'COUNT', count)
    for _, entry in ipairs(entries) do
      local id, timestamp, other = tonumber(string.match(entry[1], '^%d+')), tonumber(entry[2][2]), entry[2][4]
      -- What lay between was let go of.
      if mark and read == 0 and id > mark + 1 then verdict = 'unknown' end
      if string.sub(other, 1, 8) == link then
        local its_number = tonumber(string.sub(other, 9))
        if its_number == number then return entry, nil, id end
        if mark and its_number > number then return nil, verdict or 'refused', place end
        if not mark and its_number < number then return nil, verdict, id end
        if its_number > number then verdict = 'refused' end
      end
      read, place = read + 1, id
      local pause = math.max(newer - timestamp, 0)
      age, span, longest, newer = age + math.min(pause, 60000), span + pause, math.max(longest, pause), timestamp
      if not mark and age > 300000 then return nil, verdict end
    end
    if #entries < count then break end
    from, count = '(' .. entries[#entries][1], math.min(2 * count, 50)
  end
  if mark then return nil, verdict or place < seq and 'unknown' or nil, mark end
  -- A log that has ended by its age is gone as a whole.
  if read == 0 and redis.call('EXISTS', log) == 0 then return nil end
  if place > 1 and span - longest <= 300000 then verdict = 'unknown' end
  return nil, verdict
end

-- Notes in the head where the link's next retry has to look; where such notes have become many, other links' go. Nothing
-- is noted where nothing may be written.
local function note(head, field, mark)
  redis.pcall('HSET', head, field, mark)
  if redis.call('HLEN', head) < 64 then return end
  for _, name in ipairs(redis.call('HKEYS', head)) do
    if name ~= field and string.sub(name, 1, 8) == 'retried:' then redis.call('HDEL', head, name) end
  end
end

-- Takes entries that are too old from the front, 32 at most; only the first is read as long as it is not.
local function trim_old(log, oldest)
  local count = 1
  repeat
    local entries = redis.call('XRANGE', log, '-', '+', 'COUNT', count)
    for _, entry in ipairs(entries) do
      if tonumber(entry[2][2]) >= oldest then return end
      redis.call('XDEL', log, entry[1])
    end
    count = count + 30
  until #entries == 0 or count > 31
end

-- Which nodes hold a user's connections, and how many there are without those in their grace.
local function nodes_of(conns)
  local nodes, count = {}, 0
  for _, record in ipairs(redis.call('HVALS', conns)) do
    local node = string.match(record, '^([^~:][^:]*):')
    if node then nodes[node], count = true, count + 1 end
  end
  return nodes, count
end

-- Counts what was appended to a stream of the partition, and lets go of what is too much.
local function weigh(hash, prefix, stream, id, bytes, most)
  local held, due = redis.call('HINCRBY', hash, prefix .. 'held', bytes), redis.call('HGET', hash, prefix .. 'due')
  if held > (tonumber(due) or 0) then bound(hash, prefix, stream, id, bytes, held, tonumber(most)) end
end

local taken, user, settings, pause = 3, name, nil, nil
local first, second = string.byte(flags, 1, 2)
if first == 115 then taken, settings = 4, fourth end
if second == 99 then taken, pause = 5, fifth end
local function keys_of(flag, count)
  if not string.find(flags, flag, 1, true) then return nil end
  taken = taken + count
  return KEYS[taken - count + 1], KEYS[taken - count + 2]
end
local dedupe = keys_of('d', 1)
local conns, online = keys_of('i', 2)
local events, events_held = keys_of('e', 2)
local messages, messages_held = keys_of('m', 2)

local is_volatile = string.find(flags, 'v', 1, true)
-- It may have been sent, and nobody is to get it twice.
if is_volatile and attempt == '1' then return redis.error_reply('MARTLET unknown') end

local nodes, connections, is_online
if conns then
  nodes, connections = nodes_of(conns)
  is_online = redis.call('ZSCORE', online, user) and 1 or 0
end

if dedupe then
  local first = redis.call('GET', dedupe)
  if first then
    -- WAIT looks at the connection's last write: without one it would say nothing of the message's first try.
    if string.find(flags, 'r', 1, true) then redis.call('SET', dedupe, first, 'KEEPTTL') end
    local epoch, seq, timestamp = string.match(first, '^(%S+) (%d+) (%d+)$')
    return { epoch, tonumber(seq), tonumber(timestamp), is_online, connections }
  end
end
local size, age = tonumber(log_size), tonumber(log_age)
local term, is_new_term = meet(state, run)
local epoch, seq, ends, change, held, due, governed = head_of(head, term, candidate)
local noted = 'retried:' .. string.sub(operation, 1, 8)
if attempt == '1' then
  if size == 0 and not dedupe then return redis.error_reply('MARTLET unknown') end
  local mark
  if not change then
    local connection, last = string.match(redis.call('HGET', head, noted) or '', '^(%d+ %d+) (%d+)$')
    if connection == term .. ' ' .. client then mark = tonumber(last) end
  end
  if mark and seq - mark > 5000 then mark = nil end
  local entry, verdict, place
  if change ~= 'missing' then entry, verdict, place = find(log, seq, operation, mark) end
  if entry then
    settle(state, run, term, is_new_term, head, log, epoch, seq, ends, change, settings)
    note(head, noted, term .. ' ' .. client .. ' ' .. place)
    return { epoch, place, tonumber(entry[2][2]), is_online, connections }
  end
  -- What was stored under a dedupe key would have been found there.
  if verdict == 'unknown' and dedupe then verdict = nil end
  if verdict then
    if place and not change then note(head, noted, term .. ' ' .. client .. ' ' .. place) end
    return redis.error_reply('MARTLET ' .. verdict)
  end
end

local timestamp = now()
if pause then
  if change then governed = redis.call('HGET', settings, 'bars') end
  local bar = bar_message(settings, pause, governed, body, timestamp)
  if bar then return redis.error_reply('BARRED ' .. bar) end
end
if is_volatile then
  if conns then
    for node in pairs(nodes) do
      redis.call(command, channel .. node, 'v ' .. timestamp .. ' ' .. #user .. ' ' .. user .. body)
    end
  else
    redis.call(command, channel, 'v ' .. timestamp .. ' ' .. body)
  end
  if events and not is_far_behind(events) then
    local id = redis.call('XADD', events, 'MAXLEN', '~', ledger_size, '*', 't', 'client.event', 'u', '', 'r', name,
      'c', '', 'e', '-', 'q', 0, 'm', timestamp, 'b', body)
    weigh(events_held, 'events:', events, id, #body + entry_bytes + #name, ledger_bytes)
  end
  return { '', 0, tonumber(timestamp), is_online, connections }
end
settle(state, run, term, is_new_term, head, log, epoch, seq, ends, change, settings)
seq = seq + 1
-- Written once: Lua writes numbers slowly.
local written, bytes = seq .. '', #body + entry_bytes
if size > 0 then
  held = (tonumber(held) or 0) + bytes
  redis.call('HSET', head, 'seq', written, 'held', held .. '')
else
  redis.call('HSET', head, 'seq', written)
end
redis.call('PEXPIRE', head, head_life)
if attempt == '1' then note(head, noted, term .. ' ' .. client .. ' ' .. written) end
if size > 0 then
  redis.call('XADD', log, 'MAXLEN', '~', log_size, written .. '-0', 't', timestamp, 'o', operation, 'b', body)
  redis.call('PEXPIRE', log, log_age)
  if seq % 16 == 0 then trim_old(log, timestamp - age) end
  if held > (tonumber(due) or 0) then bound(head, '', log, written, bytes, held, tonumber(log_bytes)) end
end
if dedupe then redis.call('SET', dedupe, epoch .. ' ' .. written .. ' ' .. timestamp, 'PX', dedupe_life) end
if events then
  local fields = { 't', 'message.published', 'u', '', 'r', name, 'c', '', 'e', epoch, 'q', written, 'm', timestamp, 'b', body }
  if caused_by ~= '' then fields[17], fields[18] = 'w', caused_by end
  local id = redis.call('XADD', events, 'MAXLEN', '~', ledger_size, '*', unpack(fields))
  weigh(events_held, 'events:', events, id, bytes + #name, ledger_bytes)
end
if messages then
  -- The body is `msgType length user payload`, as the node put it together; lengths of an event's name and of a
  -- connection's may stand behind the type.
  local kind, event_length, except_length, length, start = string.match(body, '^(%d+)%.?(%d*)%.?(%d*) (%d+) ()')
  local rest = start + tonumber(length)
  local user_id, event = string.sub(body, start, rest - 1), nil
  if event_length ~= '' then
    local named = rest + tonumber(event_length)
    event = string.sub(body, rest, named - 1)
    rest = named + (tonumber(except_length) or 0)
  end
  local fields = { 'roomId', conns and '@' .. name or name, 'seq', written, 'epoch', epoch, 'userId', user_id,
    'msgType', kind, 'payload', string.sub(body, rest), 'timestamp', timestamp }
  if event and event ~= '' then
    fields[#fields + 1] = 'event'
    fields[#fields + 1] = event
  end
  local id = redis.call('XADD', messages, 'MAXLEN', '~', stream_size, '*', unpack(fields))
  weigh(messages_held, 'messages:', messages, id, bytes + #name, stream_bytes)
end
local place = epoch .. ' ' .. written .. ' ' .. timestamp .. ' '
if conns then
  for node in pairs(nodes) do
    redis.call(command, channel .. node, 'i ' .. place .. #user .. ' ' .. user .. body)
  end
else
  redis.call(command, channel, 'm ' .. place .. body)
end
return { epoch, seq, timestamp, is_online, connections }
