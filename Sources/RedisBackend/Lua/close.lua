#!lua flags=allow-oom
-- close: ends all sessions of a user, wherever their connections stand, tells that the user is offline, marks those
-- connections to be closed that a node holds, and remembers who may not come back.
--
-- KEYS    1 the user's connections, 2 marks, 3 verdict, 4 online, 5 seen, 6 linger, 7 events, 8 state, 9 states
-- ARGV    1 close code, 2 text, 3 life of the marks in ms, 4 PUBLISH or SPUBLISH, 5 what the nodes' channels begin with,
--         6 user, 7 the user's status channel, 8 ledger size, 9 for how long the user is banned from now in ms, '' where
--         that stays as it is, 10 before when the user's tokens are void in ms (only later than before counts; '' as
--         well), 11 how long a disconnection is remembered, 12 how long void tokens are, in ms, 13 what caused it
--         as the ledger is told, or ''
-- result  how many connections there are, without those in their grace, the node of each, until when the user is banned
--         (0: is not), each connection that was in its grace with the secret of its session
-- cost    O(the user's connections)
local conns, marks_key, verdict_key, online, seen, lingering = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local events, state, states = KEYS[7], KEYS[8], KEYS[9]
local code, text, life, command, nodes_channel, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local status_channel, ledger_size, ban, void_before, remembered = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local void_remembered, caused_by = ARGV[12], ARGV[13]
local marks = { key = marks_key, life = life, command = command, channel = nodes_channel }
local moment, ledger = now(), { key = events, size = ledger_size, caused_by = caused_by }
local user = {
  conns = conns, online = online, seen = seen, states = states, life = life, name = name, command = command,
  channel = status_channel,
}
local said = verdict(verdict_key) or { banned = 0, before = 0, ended = 0 }
if ban ~= '' then said.banned = moment + ban end
if void_before ~= '' then said.before = math.max(said.before, tonumber(void_before)) end
if said.banned <= tonumber(moment) then said.banned = 0 end
-- Sessions and connections are compared by which disconnections they came after, and by no moment: each has a number above
-- all that were before it in the partition, though the clock went back since.
local last = math.max(tonumber(redis.call('HGET', state, 'ended') or 0), said.ended)
said.ended = math.max(tonumber(moment), last + 1)
redis.call('HSET', state, 'ended', string.format('%.0f', said.ended))
judge(verdict_key, said, moment, tonumber(remembered), tonumber(void_remembered))

local nodes, lingered, all = {}, {}, redis.call('HGETALL', conns)
for i = 1, #all, 2 do
  local holder, secret = string.match(all[i + 1], '^(%S+) %S+ (%S+)')
  if string.sub(holder, 1, 1) == '~' then
    -- The grace was for a session that goes on no more.
    redis.call('ZREM', lingering, 'u|' .. all[i] .. '|' .. name)
    lingered[#lingered + 1], lingered[#lingered + 2] = all[i], secret
  else
    nodes[#nodes + 1] = mark(marks, all[i], holder, code, text)
  end
  -- Its node may be cut off, or may be about to say that it was lost: nobody waits for that.
  remove_connection(user, all[i], 'kicked', ledger, moment)
end
return { #nodes, nodes, said.banned, lingered }
