#!lua flags=allow-oom
-- settle: moves a receiver's place beyond what it has taken, or beyond what was given up; keeps why an attempt failed.
--
-- KEYS    1 coordinator, 2 webhooks, 3 events, 4 the receiver's dead letters, 5 withheld
-- ARGV    1 the caller's token, 2 receiver, 3 what: `sent`, `dead`, `loss`, `replay`, `quit` (a replay), `note`, 4 the
--         reason; or the loss or replay as `gather` gave it, 5 dead letters kept, about, 6 their bytes, 7 how many
--         entries the receiver wants, 8 the last entry's id, then the ids of those it wants, then of the others
-- result  1, or `refused` where the token is no longer the caller's
-- cost    O(entries); of dead letters O(all that are kept) as well
local coordinator, webhooks, events, dead, withheld = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local caller, name, what, reason, most_dead, most_bytes = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local wanted_count, last = ARGV[7], ARGV[8]
if redis.call('GET', coordinator) ~= caller then return 'refused' end
local wanted, all = { unpack(ARGV, 9, 8 + wanted_count) }, { unpack(ARGV, 9) }

local function forget(field)
  if redis.call('HGET', webhooks, field .. name) == reason then redis.call('HDEL', webhooks, field .. name) end
end

if what == 'note' then
  redis.call('HSET', webhooks, 'error:' .. name, now() .. ' ' .. reason)
elseif what == 'loss' then
  forget('lost:')
elseif what == 'quit' then
  forget('replay:')
elseif what == 'replay' then
  if redis.call('HGET', webhooks, 'replay:' .. name) == reason then
    local rest = string.match(reason, '^%S+( .*)$')
    redis.call('HSET', webhooks, 'replay:' .. name, '(' .. last .. rest)
    if #wanted > 0 then redis.call('XDEL', dead, unpack(wanted)) end
  end
elseif what == 'dead' then
  local top, gone = redis.call('XREVRANGE', dead, '+', '-', 'COUNT', 1)[1], {}
  for _, id in ipairs(wanted) do
    -- One that is not later than the last dead letter was put there before.
    if not top or is_after(id, top[1]) then
      local entry = redis.call('XRANGE', events, id, id)[1]
      if entry then
        redis.call('XADD', dead, 'MAXLEN', '~', most_dead, id, unpack(shown(withheld, entry[2])))
      else
        gone[#gone + 1] = id
      end
    end
  end
  shrink(dead, tonumber(most_bytes))
  if redis.call('XACK', events, name, unpack(all)) > 0 then
    redis.call('HINCRBY', webhooks, 'dead:' .. name, #wanted - #gone)
    -- What the ledger has let go meanwhile no replay can send: it is lost.
    if #gone > 0 then lose(webhooks, name, #gone, gone[1], now()) end
  end
  redis.call('HSET', webhooks, 'error:' .. name, now() .. ' ' .. reason)
else
  redis.call('XACK', events, name, unpack(all))
end
if #wanted > 0 and (what == 'sent' or what == 'replay') then redis.call('HSET', webhooks, 'sent:' .. name, now()) end
return 1
