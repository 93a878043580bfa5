#!lua flags=allow-oom
-- beat: registers a node, renews its lease, or takes it out of the index.
--
-- KEYS    1 index, 2 how many marks were set, 3 server
-- ARGV    1 `register`, `renew` or `release`, 2 node, 3 instance, 4 incarnation, 5 lease in ms,
--         6 life of the index in ms, 7 what the node says of itself,
--         8 until when, by Redis's clock in ms, it may declare others dead (0: not),
--         9 the server that the link was greeted by, 10 the end of the lease that it was told last, by Redis's clock in
--         ms (0: none yet), 11 the incarnation below which it may declare nobody dead,
--         12 the server with which it was in the index last ('' for none yet)
-- result  `moved` where this is no longer that server, or no primary: nothing was written; else
--         register: `ok`, the incarnation given and the round; or `taken` and the ms that the other instance's lease
--                   still runs
--         renew:    `ok`, now, how often connections of the node were marked to be closed, since when, in ms, nodes
--                   register with this server (0: no other was before it), the incarnation below which none has yet, and
--                   each node, its incarnation, the end of its lease and 0 where it says that it is not able (1 else);
--                   `lost` where the entry is gone or older than
--                   what was told, or was left by another instance whose lease has ended, or stems from another server;
--                   `taken` where that other's lease runs
--         release:  `ok`
--         An entry is `instance incarnation lease-end description`. A lapsed one still renews: a node is dead once its
--         lapsed entry was removed by a caller that may declare it. A server that was set back under one identity gets
--         another round, and counts as another; so does one to which the nodes come back from another, though it never changed
--         itself: the first that comes says so.
-- cost    O(1); renew O(nodes), and once for each server register too
local index, marked, known = KEYS[1], KEYS[2], KEYS[3]
local mode, node, instance, last, lease, index_life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local description, may_declare_until, server, told, spared = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local left = ARGV[12]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
lease, last = tonumber(lease), tonumber(last)

local function parse(entry)
  local owner, incarnation, ends = string.match(entry, '^(%S+) (%d+) (%d+) ')
  return owner, tonumber(incarnation), tonumber(ends)
end

local function write(incarnation)
  local entry = string.format('%s %.0f %.0f %s', instance, incarnation, now + lease, description)
  redis.call('HSET', index, node, entry)
  redis.call('PEXPIRE', index, index_life)
end

local entry = redis.call('HGET', index, node)
local owner, incarnation, ends
if entry then owner, incarnation, ends = parse(entry) end

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

local met = redis.call('HMGET', known, 'id', 'since', 'from', 'round', 'at')
local since, from, round = tonumber(met[2]) or 0, tonumber(met[3]) or 0, tonumber(met[4]) or 0

-- From now on what the index holds counts as renewed with another server: whoever is on this one registers anew, above
-- all of it. Where nothing is known of anybody there was no other.
local function meet()
  local all = redis.call('HGETALL', index)
  since, from = 0, 0
  if met[1] or #all > 0 then since, from = now, now end
  for i = 2, #all, 2 do
    local _, held = parse(all[i])
    if held and held >= from then from = held + 1 end
  end
  local fields = { string.format('%.0f', since), string.format('%.0f', from), string.format('%.0f', round) }
  redis.call('HSET', known, 'id', server, 'since', fields[1], 'from', fields[2], 'round', fields[3], 'at', now)
end

-- Whether the node is the first that comes back from another server: it has been here since others last came, or nobody
-- is here, and not only because they are about to register with a server that was met just now.
local function is_first_back()
  if left == '' or left == server then return false end
  if owner == instance then return incarnation >= from end
  if math.abs(now - (tonumber(met[5]) or 0)) < lease then return false end
  for _, other in ipairs(redis.call('HVALS', index)) do
    local _, _, lapses = parse(other)
    if lapses and lapses >= now then return false end
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
  if is_new or not entry then return { 'lost' } end
  if owner ~= instance then
    if ends > now then return { 'taken', ends - now } end
    return { 'lost' }
  end
  if incarnation < from then return { 'lost' } end
  if incarnation < last or incarnation == last and ends < tonumber(told) then
    round = round + 1
    meet()
    return { 'lost' }
  end
  if incarnation ~= last then return { 'lost' } end
  write(incarnation)
  local marks = tonumber(redis.call('HGET', marked, node) or 0)
  local answer, all = { 'ok', now, marks, since, from }, redis.call('HGETALL', index)
  for i = 1, #all, 2 do
    local _, held, lapses = parse(all[i + 1])
    local may_go = not lapses or lapses < now and now <= tonumber(may_declare_until) and held >= tonumber(spared)
    if may_go then
      redis.call('HDEL', index, all[i])
    else
      local n = #answer
      answer[n + 1], answer[n + 2], answer[n + 3] = all[i], held, lapses
      -- Values hold no blank, and an older release says nothing of it.
      answer[n + 4] = string.find(all[i + 1], ' able=0', 1, true) and 0 or 1
    end
  end
  return answer
end

if entry and owner ~= instance and ends > now then return { 'taken', ends - now } end
incarnation = math.max(incarnation or 0, last) + 1
if incarnation < now then incarnation = now end
if incarnation < from then incarnation = from end
write(incarnation)
return { 'ok', incarnation, round }
