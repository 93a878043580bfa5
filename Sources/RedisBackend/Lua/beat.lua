#!lua flags=allow-oom
-- beat: registers a node, renews its entry, or takes it out of the index.
--
-- KEYS    1 index, 2 how many marks were set, 3 server, 4 deployment
-- ARGV    1 `register`, `renew` or `release`, 2 node, 3 instance, 4 incarnation, 5 lease in ms,
--         6 life of the index in ms, 7 what the node says of itself,
--         8 what Redis's clock shows about now, in ms, where it may declare others dead (0: it may not),
--         9 the server that the link was greeted by, 10 the number of its beat that it was told last (0: none yet),
--         11 grace after a failover in ms, 12 the server with which it was in the index last ('' for none yet),
--         to register 13 what the caller knows the deployment to bear, `partitions format reads` with '' for what is not
--         there, or '' where it knows nothing, and what the deployment is to bear: 14 partitions, 15 format, 16 reads; then
--         the entries that it has seen unchanged for a lease, each as node, incarnation and number of the beat
-- result  `moved` where this is no longer that server, or no primary: nothing was written; else
--         register: `ok`, the incarnation given, the round and now; `taken`, the incarnation and the number of the beat
--                   of the other instance that has the name, and was not seen unchanged for a lease; or `changed` where the
--                   deployment bears something else than the caller knows, and nothing was written: partitions, format,
--                   reads, and of each node the formats that it knows, with '' for what is not there
--         renew:    `ok`, now, the highest incarnation given so far, how often connections of the node were marked to be
--                   closed, the incarnation below which none has registered with this server yet (0: no other server was
--                   before it), for how long, in ms, nodes have registered with it by now, as far as the grace, the format
--                   in which all write, and each node, its incarnation, the number of its beat, when that came, and 0 where
--                   it says that it is not able (1 else); `lost` where the entry is gone or older than what was told, or
--                   stems from another server, or where the deployment's format is gone; `taken` as above
--         release:  `ok`
--         An entry is `instance incarnation beat time description`, and the description has `format` and `reads`; one of
--         another shape, an earlier release's, goes. No entry is compared with the clock, which may step:
--         who reads it again sees by the number that the node has beaten, and its own clock tells how long it has not. It
--         is dead once its entry was removed by a caller that has seen it unchanged for a lease. A server that was set back
--         under one identity gets another round, and counts as another; so does one to which the nodes come back from
--         another, though it never changed itself: the first that comes says so.
-- cost    O(1); renew, and where something has changed, O(nodes), and once for each server register too
local index, marked, known, deployment = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local mode, node, instance, last, lease, index_life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local description, expected, server, told, grace = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local left, agreed, partitions, format, reads = ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16]
local silent = { unpack(ARGV, 17) }
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
lease, last, grace = tonumber(lease), tonumber(last), tonumber(grace)

local function formats_of(entry)
  return string.match(entry, ' format=(%d+)'), string.match(entry, ' reads=(%d+)')
end

local function parse(entry)
  local owner, incarnation, beat, at = string.match(entry, '^(%S+) (%d+) (%d+) (%d+) ')
  local writes = formats_of(entry)
  if owner and writes then
    return owner, tonumber(incarnation), tonumber(beat), tonumber(at), tonumber(writes)
  end
end

local function write(incarnation, beat)
  local entry = string.format('%s %.0f %.0f %.0f %s', instance, incarnation, beat, now, description)
  redis.call('HSET', index, node, entry)
  redis.call('PEXPIRE', index, index_life)
end

-- Writes what is known of the server: pairs of a field and a number.
local function note(...)
  local fields = { ... }
  for i = 2, #fields, 2 do fields[i] = string.format('%.0f', fields[i]) end
  redis.call('HSET', known, unpack(fields))
end

local entry = redis.call('HGET', index, node)
local owner, incarnation, beat
if entry then owner, incarnation, beat = parse(entry) end

if mode == 'release' then
  if owner == instance then redis.call('HDEL', index, node) end
  return { 'ok' }
end
-- A link that never broke leads to the same process; only its history may be another.
local about = redis.call('INFO', 'replication')
local history = string.match(about, 'master_replid:(%w+)') or ''
if not string.find(about, 'role:master', 1, true) or string.sub(history, 1, 20) ~= string.match(server, '[^:]*$') then
  return { 'moved' }
end

local stored = redis.call('HMGET', deployment, 'partitions', 'format', 'reads')
for i = 1, 3 do stored[i] = stored[i] or '' end
if mode == 'register' and table.concat(stored, ' ') ~= agreed then
  local answer, all = { 'changed', stored[1], stored[2], stored[3] }, redis.call('HVALS', index)
  for i = 1, #all do
    local writes, oldest = formats_of(all[i])
    answer[i + 4] = writes and oldest and 'format=' .. writes .. ' reads=' .. oldest or ''
  end
  return answer
end

local met = redis.call('HMGET', known, 'id', 'from', 'round', 'newest', 'age', 'seen', 'at')
local from, round, newest = tonumber(met[2]) or 0, tonumber(met[3]) or 0, tonumber(met[4]) or 0
local age, seen = tonumber(met[5]) or 0, tonumber(met[6]) or now

-- From now on what the index holds counts as renewed with another server: whoever is on this one registers anew, above
-- all of it. Where nothing is known of anybody there was no other.
local function meet()
  local all = redis.call('HGETALL', index)
  from, age, seen = 0, 0, now
  if met[1] or #all > 0 then from = math.max(now, newest + 1) end
  for i = 2, #all, 2 do
    local _, held = parse(all[i])
    if held and held >= from then from = held + 1 end
  end
  redis.call('HSET', known, 'id', server)
  note('from', from, 'round', round, 'age', age, 'seen', seen, 'at', now)
end

-- The time since then is what passes from beat to beat, of a step of the clock a lease at most.
local function grow_older()
  if from == 0 or age >= grace then return end
  age, seen = age + math.min(math.max(now - seen, 0), lease), now
  note('age', age, 'seen', seen)
end

-- Takes away the entries that the caller has seen unchanged, unless they have changed since.
local function declare_dead()
  for i = 1, #silent, 3 do
    local _, held, number = parse(redis.call('HGET', index, silent[i]) or '')
    if held == tonumber(silent[i + 1]) and number == tonumber(silent[i + 2]) then redis.call('HDEL', index, silent[i]) end
  end
end

-- Whether the node is the first that comes back from another server: it has been here since others last came, or nobody
-- is here, and not only because they are about to register with a server that was met just now; as far as the clock
-- tells: a step of it makes one the first that is not, which then only waits.
local function is_first_back()
  if left == '' or left == server then return false end
  if owner == instance then return incarnation >= from end
  if math.abs(now - (tonumber(met[7]) or 0)) < lease then return false end
  for _, other in ipairs(redis.call('HVALS', index)) do
    local _, _, _, at = parse(other)
    if at and math.abs(now - at) <= lease then return false end
  end
  return true
end

local is_new = met[1] ~= server
if is_new then
  meet()
elseif is_first_back() then
  is_new, round = true, round + 1
  meet()
end
if mode == 'renew' then
  local written = tonumber(stored[2])
  if is_new or not owner or not written then return { 'lost' } end
  if owner ~= instance then return { 'taken', incarnation, beat } end
  if incarnation < from then return { 'lost' } end
  if incarnation < last or incarnation == last and beat < tonumber(told) then
    round = round + 1
    meet()
    return { 'lost' }
  end
  if incarnation ~= last then return { 'lost' } end
  write(incarnation, beat + 1)
  grow_older()
  -- A beat that lay in front of a paused Redis comes too late to know who has beaten.
  local may_declare = tonumber(expected) > 0 and math.abs(now - expected) <= lease / 3
  if may_declare then declare_dead() end
  local marks = tonumber(redis.call('HGET', marked, node) or 0)
  local answer, all, lowest = { 'ok', now, newest, marks, from, age, written }, redis.call('HGETALL', index), nil
  for i = 1, #all, 2 do
    local _, held, number, at, writes = parse(all[i + 1])
    if at then
      lowest = math.min(lowest or writes, writes)
      local n = #answer
      answer[n + 1], answer[n + 2], answer[n + 3], answer[n + 4] = all[i], held, number, at
      -- Values hold no blank, and an older release says nothing of it.
      answer[n + 5] = string.find(all[i + 1], ' able=0', 1, true) and 0 or 1
    else
      redis.call('HDEL', index, all[i])
    end
  end
  -- The last that wrote in the older way is gone, and is not merely later than this one to come to another server, or back
  -- to one that has forgotten all.
  if may_declare and lowest > written and (from == 0 or age >= grace) then
    redis.call('HSET', deployment, 'format', lowest)
    answer[7] = lowest
  end
  return answer
end

local is_free = owner == instance or tonumber(silent[2]) == incarnation and tonumber(silent[3]) == beat
if owner and not is_free then
  return { 'taken', incarnation, beat }
end
-- Above all that were ever given, so that a clock that went back gives none a second time.
incarnation = math.max(incarnation or 0, last, newest) + 1
if incarnation < now then incarnation = now end
if incarnation < from then incarnation = from end
write(incarnation, 0)
note('newest', incarnation)
redis.call('HSET', deployment, 'partitions', partitions, 'format', format, 'reads', reads)
return { 'ok', incarnation, round, now }
