#!lua flags=allow-oom
-- trim: lets go of entries of the ledger that every receiver has settled, beyond those kept for being sent again.
--
-- KEYS    1 coordinator, 2 webhooks, 3 events
-- ARGV    1 the caller's token, 2 entries kept, about, 3 after how many ms the place of a receiver that no
--         coordinator knows any more is given up ('' where the caller has none: others may), then the receivers
-- result  the receivers whose places went, or `refused` where the token is no longer the caller's
-- cost    O(receivers + entries let go)
local coordinator, webhooks, events = KEYS[1], KEYS[2], KEYS[3]
local caller, kept, patience = ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', coordinator) ~= caller then return 'refused' end
local moment, known = now(), {}
for i = 4, #ARGV do known[ARGV[i]] = true end
local added, length = measure(events)
local settled, gone = added, {}
for name, group in pairs(groups_of(events)) do
  local read = tonumber(redis.call('HGET', webhooks, 'read:' .. name))
  -- Groups without this field are not ours.
  if read then
    local seen = tonumber(redis.call('HGET', webhooks, 'seen:' .. name))
    if known[name] or not seen then
      redis.call('HSET', webhooks, 'seen:' .. name, moment)
      seen = moment
    end
    if patience ~= '' and moment - seen > tonumber(patience) then
      gone[#gone + 1] = name
      redis.call('XGROUP', 'DESTROY', events, name)
      for _, field in ipairs({ 'read', 'seen', 'lost', 'losses', 'replay', 'dead', 'error', 'sent' }) do
        redis.call('HDEL', webhooks, field .. ':' .. name)
      end
    else
      settled = math.min(settled, read - group.pending)
    end
  end
end
local excess = math.min(length - tonumber(kept), settled - (added - length))
if excess > 0 then redis.call('XTRIM', events, 'MAXLEN', '~', length - excess) end
return gone
