#!lua
-- publish: gives a message the room's next seq, appends it to the log and sends it to the members, in one step.
--
-- KEYS    1 state, 2 head, 3 log, 4 dedupe (left out where the message has no such key)
-- ARGV    1 run_id, 2 candidate for a new epoch, 3 attempt (0 the first, 1 a retry), 4 operation, 5 log size,
--         6 log age in ms, 7 life of the head in ms, 8 PUBLISH or SPUBLISH, 9 channel, 10 body, 11 life of the dedupe key in ms
-- result  epoch, seq, timestamp; error `MARTLET unknown`: a retry to a room without a log, whose first try may have been stored
-- cost    O(1); a retry reads the log back to five minutes ago, the longest that a command is retried, 5,000 entries at most

-- The log's entry of this operation, newest first, as far back as `oldest`.
local function find(log, operation, oldest)
  local from = '+'
  for _ = 1, 100 do
    local entries = redis.call('XREVRANGE', log, from, '-', 'COUNT', 50)
    for _, entry in ipairs(entries) do
      if entry[2][4] == operation then return entry end
      if tonumber(entry[2][2]) < oldest then return nil end
    end
    if #entries < 50 then return nil end
    from = '(' .. entries[50][1]
  end
end

if KEYS[4] then
  local first = redis.call('GET', KEYS[4])
  if first then
    local epoch, seq, timestamp = string.match(first, '^(%S+) (%d+) (%d+)$')
    return { epoch, tonumber(seq), tonumber(timestamp) }
  end
end
local size, age = tonumber(ARGV[5]), tonumber(ARGV[6])
local term, is_new_term = meet(KEYS[1], ARGV[1])
local epoch, seq, ends, change = head_of(KEYS[2], term, ARGV[2])
if ARGV[3] == '1' then
  if size == 0 and not KEYS[4] then return redis.error_reply('MARTLET unknown') end
  local entry = change ~= 'missing' and find(KEYS[3], ARGV[4], now() - 300000)
  if entry then
    settle(KEYS[1], ARGV[1], term, is_new_term, KEYS[2], KEYS[3], epoch, seq, ends, change)
    return { epoch, tonumber(string.match(entry[1], '^%d+')), tonumber(entry[2][2]) }
  end
end

local timestamp = now()
settle(KEYS[1], ARGV[1], term, is_new_term, KEYS[2], KEYS[3], epoch, seq, ends, change)
seq = redis.call('HINCRBY', KEYS[2], 'seq', 1)
redis.call('PEXPIRE', KEYS[2], ARGV[7])
if size > 0 then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', size, seq .. '-0', 't', timestamp, 'o', ARGV[4], 'b', ARGV[10])
  redis.call('PEXPIRE', KEYS[3], age)
  if seq % 16 == 0 then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 32)) do
      if tonumber(entry[2][2]) >= timestamp - age then break end
      redis.call('XDEL', KEYS[3], entry[1])
    end
  end
end
if KEYS[4] then redis.call('SET', KEYS[4], epoch .. ' ' .. seq .. ' ' .. timestamp, 'PX', ARGV[11]) end
redis.call(ARGV[8], ARGV[9], 'm ' .. epoch .. ' ' .. seq .. ' ' .. timestamp .. ' ' .. ARGV[10])
return { epoch, seq, timestamp }
