#!lua flags=allow-oom
-- replay: has a receiver's events of a partition sent again, from an id on up to the last that it was given; up to the
-- last there is where it has no place here yet. Together with a replay under way it becomes one, from the earlier
-- beginning on, of the types of both.
--
-- KEYS    1 webhooks, 2 events
-- ARGV    1 receiver, 2 the first id, 3 types with commas, or `*` for all
-- result  OK
-- cost    O(receivers)
local webhooks, events = KEYS[1], KEYS[2]
local name, first_id, wanted_types = ARGV[1], ARGV[2], ARGV[3]
local group, _, length, newest = groups_of(events)[name], measure(events)
if not group and length == 0 then return redis.status_reply('OK') end
local last = group and group.last or newest
local field, first, types = 'replay:' .. name, first_id, wanted_types
local from, wanted = string.match(redis.call('HGET', webhooks, field) or '', '^(%S+) %S+ (%S+)$')
if from then
  -- One that has begun goes on behind an id: `(id`.
  if is_after(first, (string.gsub(from, '^%(', ''))) then first = from end
  if types == '*' or wanted == '*' then
    types = '*'
  else
    for kind in string.gmatch(wanted, '[^,]+') do
      if not string.find(',' .. types .. ',', ',' .. kind .. ',', 1, true) then types = types .. ',' .. kind end
    end
  end
end
redis.call('HSET', webhooks, field, first .. ' ' .. last .. ' ' .. types)
return redis.status_reply('OK')
