#!lua flags=allow-oom
-- gather: gives a receiver's next events of a partition: first a loss it must be told of, then those it was given and
-- has not settled, then those that are to be sent again, then new ones.
--
-- KEYS    1 coordinator, 2 webhooks, 3 events, 4 the receiver's dead letters, 5 withheld
-- ARGV    1 the caller's token, 2 receiver, 3 server, 4 candidate for a name of birth, 5 entries at most, 6 bytes after
--         which no more is added, 7 how far back a new receiver begins, in ms
-- result  `none`; or `refused` where the token is no longer the caller's; or
--         `loss`, now, lag, 0, births, the loss as `count total entry timestamp`; or
--         `news` or `replay`, now, lag, whether more may follow (0, 1), births, the replay's field, then each entry as
--         id and its fields
-- cost    O(entries given); once for a new receiver, O(entries of its first minutes)
local coordinator, webhooks, events, dead, withheld = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local caller, name, run, candidate, most, most_bytes = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local beginning = ARGV[7]
if redis.call('GET', coordinator) ~= caller then return { 'refused' } end
local state = redis.call('HMGET', webhooks, 'run', 'births', 'read:' .. name, 'lost:' .. name, 'replay:' .. name)
local births, read, loss, replay, moment = state[2], tonumber(state[3]), state[4], state[5], now()

if state[1] ~= run then
  local _, _, last = measure(events)
  local kept, count = candidate .. '>' .. (births and last or '0-0'), 1
  for old in string.gmatch(births or '', '[^,]+') do
    if count >= 32 then break end
    kept, count = kept .. ',' .. old, count + 1
  end
  births = kept
  redis.call('HSET', webhooks, 'run', run, 'births', births)
end

local function ask(from)
  return redis.pcall('XREADGROUP', 'GROUP', name, 'sender', 'COUNT', most, 'STREAMS', events, from)
end

-- The receiver has no place here: a new one begins a little way back, so that nothing is missed between a node's start
-- and its first look; one that was here has met a ledger begun anew, and gets all of it.
local function take_place()
  local first = '0-0'
  if not read then
    if redis.call('EXISTS', events) == 1 then redis.call('XGROUP', 'DESTROY', events, name) end
    first = string.format('%.0f-0', moment - beginning)
  end
  redis.call('XGROUP', 'CREATE', events, name, first, 'MKSTREAM')
  local added, length = measure(events)
  read = added - length
  if first ~= '0-0' then read = added - #redis.call('XRANGE', events, '(' .. first, '+') end
  redis.call('HSET', webhooks, 'read:' .. name, read)
end

if not read then take_place() end
local given = ask('0')
if given and given.err then
  take_place()
  given = ask('0')
end
local function lag(pending)
  local added = measure(events)
  return added - read + pending
end
if loss then return { 'loss', moment, lag(0), 0, births, loss } end

-- An array of entries with what comes before it.
local function answer(kind, entries, waiting, field)
  local reply, bytes, more = { kind, moment, lag(waiting), 0, births, field }, 0, #entries >= tonumber(most)
  for _, entry in ipairs(entries) do
    if bytes > tonumber(most_bytes) then
      more = true
      break
    end
    for _, text in ipairs(entry[2]) do bytes = bytes + #text end
    reply[#reply + 1] = { entry[1], shown(withheld, entry[2]) }
  end
  if more then reply[4] = 1 end
  return reply
end

local entries, gone = {}, {}
for _, entry in ipairs(given and given[1] and given[1][2] or {}) do
  if entry[2] then entries[#entries + 1] = entry else gone[#gone + 1] = entry[1] end
end
if #gone > 0 then
  redis.call('XACK', events, name, unpack(gone))
  return { 'loss', moment, lag(#entries), 0, births, lose(webhooks, name, #gone, gone[1], moment) }
end
if #entries > 0 then return answer('news', entries, #entries, '') end

if replay then
  local from, last = string.match(replay, '^(%S+) (%S+) ')
  -- Dead letters come first: those that the ledger itself still holds are read there.
  local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  local found = redis.call('XRANGE', dead, from, first and '(' .. first[1] or last, 'COUNT', most)
  if #found == 0 then found = redis.call('XRANGE', events, from, last, 'COUNT', most) end
  if #found > 0 then return answer('replay', found, 0, replay) end
  redis.call('HDEL', webhooks, 'replay:' .. name)
end

given = ask('>')
entries = given and given[1] and given[1][2] or {}
if #entries == 0 then return { 'none' } end
-- The ledger loses entries at its front only: what is given begins with its first, or with the one after `read`.
local added, length = measure(events)
local missing = added - length - read
redis.call('HSET', webhooks, 'read:' .. name, math.max(read, added - length) + #entries)
if missing > 0 then
  loss = lose(webhooks, name, missing, entries[1][1], moment)
  return { 'loss', moment, lag(0), 0, births, loss }
end
read = read + #entries
return answer('news', entries, #entries, '')
