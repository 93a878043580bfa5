#!lua flags=no-writes
-- backlog: tells how a receiver fares in a partition.
--
-- KEYS    1 webhooks, 2 events, 3 the receiver's dead letters
-- ARGV    1 receiver
-- result  lag, id of the oldest entry not settled ('' for none), dead letters, given up, lost, whether a replay is
--         under way (0, 1), when it was last sent something (0: never), `timestamp message` of its last failure
--         ('' for none)
-- cost    O(1)
local webhooks, events, dead = KEYS[1], KEYS[2], KEYS[3]
local name = ARGV[1]
local state = redis.call(
  'HMGET', webhooks, 'read:' .. name, 'dead:' .. name, 'losses:' .. name, 'replay:' .. name, 'sent:' .. name,
  'error:' .. name)
local added, group, lag, oldest = measure(events), groups_of(events)[name], 0, ''
if group and state[1] then
  lag = added - tonumber(state[1]) + group.pending
  local first = group.pending > 0 and redis.call('XPENDING', events, name)[2]
  if not first and lag > 0 then
    local entry = redis.call('XRANGE', events, '(' .. group.last, '+', 'COUNT', 1)[1]
    first = entry and entry[1]
  end
  oldest = first or ''
end
return {
  lag, oldest, redis.call('XLEN', dead), tonumber(state[2]) or 0, tonumber(state[3]) or 0, state[4] and 1 or 0,
  tonumber(state[5]) or 0, state[6] or '',
}
