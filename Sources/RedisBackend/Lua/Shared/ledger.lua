-- Shared opening of the scripts that carry the ledger to a backend's receivers, behind that which says how far those have
-- come.
--
-- A receiver's place in a partition is a consumer group of its name over the ledger, with one consumer, and fields
-- of the hash `webhooks`: `read:<name>` how many entries it was given, counted from the first that was ever added;
-- `lost:<name>` a loss it must be told of; `replay:<name>` what is to be sent again; and what `GET /v1/webhooks` shows.
-- `run` and `births` tell entries apart: an id of the ledger may come twice where Redis lost what it had written, so
-- every run of Redis gives its entries a name of birth as well. `births` is `<name>><id>`, newest first: entries
-- after that id bear that name.

-- Entries ever added to a stream, entries in it, and the last id it gave.
local function measure(stream)
  if redis.call('EXISTS', stream) == 0 then return 0, 0, '0-0' end
  local info, all = redis.call('XINFO', 'STREAM', stream), {}
  for i = 1, #info, 2 do all[info[i]] = info[i + 1] end
  return all['entries-added'], all['length'], all['last-generated-id']
end

-- Counts entries as lost to a receiver, which is told of them before anything else: how many, how many by now, at
-- which entry, when.
local function lose(webhooks, name, count, entry, moment)
  local total = redis.call('HINCRBY', webhooks, 'losses:' .. name, count)
  local loss = count .. ' ' .. total .. ' ' .. entry .. ' ' .. moment
  redis.call('HSET', webhooks, 'lost:' .. name, loss)
  return loss
end

-- Takes entries from the front of a stream, a sixteenth at a time, until it takes no more than so many bytes. Answers how
-- many went.
local function shrink(stream, most)
  local length = redis.call('XLEN', stream)
  local left = length
  while left > 0 and redis.call('MEMORY', 'USAGE', stream, 'SAMPLES', 0) > most do
    left = left - math.ceil(left / 16)
    redis.call('XTRIM', stream, 'MAXLEN', left)
  end
  return length - left
end

-- Whether the first id is the later one.
local function is_after(left, right)
  local ms, seq = string.match(left, '^(%d+)-(%d+)$')
  local other, number = string.match(right, '^(%d+)-(%d+)$')
  ms, other = tonumber(ms), tonumber(other)
  return ms > other or ms == other and tonumber(seq) > tonumber(number)
end

-- An entry's fields, without the payload of a message that was redacted (see `redact.lua`).
local function shown(withheld, fields)
  if not fields[16] then return fields end
  if not redis.call('ZSCORE', withheld, fields[10] .. ' ' .. fields[12] .. ' ' .. fields[6]) then return fields end
  local event, except, length, start = string.match(fields[16], '^%d+%.?(%d*)%.?(%d*) (%d+) ()')
  local payload = start + tonumber(length) + (tonumber(event) or 0) + (tonumber(except) or 0)
  local changed = { unpack(fields) }
  changed[16] = string.sub(fields[16], 1, payload - 1) .. ' null'
  return changed
end
