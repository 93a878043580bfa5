#!lua flags=allow-oom
-- close: marks all connections of a user to be closed, ends the sessions, wherever their connections stand, and
-- remembers who may not come back.
--
-- KEYS    1 the user's connections, 2 marks, 3 verdict, 4 online, 5 seen, 6 linger, 7 events
-- ARGV    1 close code, 2 text, 3 life of the marks in ms, 4 PUBLISH or SPUBLISH, 5 what the nodes' channels begin with,
--         6 user, 7 the user's status channel, 8 ledger size, 9 for how long the user is banned from now in ms, '' where
--         that stays as it is, 10 before when the user's tokens are void in ms (only later than before counts; '' as
--         well), 11 how long a disconnection is remembered, 12 how long void tokens are, in ms
-- result  how many connections there are, without those in their grace, the node of each, until when the user is banned
--         (0: is not)
-- cost    O(the user's connections)
local marks = { key = KEYS[2], life = ARGV[3], command = ARGV[4], channel = ARGV[5] }
local moment, ledger = now(), { key = KEYS[7], size = ARGV[8] }
local user = {
  conns = KEYS[1], online = KEYS[4], seen = KEYS[5], name = ARGV[6], command = ARGV[4], channel = ARGV[7],
}
local said = verdict(KEYS[3]) or { banned = 0, before = 0 }
if ARGV[9] ~= '' then said.banned = moment + ARGV[9] end
if ARGV[10] ~= '' then said.before = math.max(said.before, tonumber(ARGV[10])) end
if said.banned <= tonumber(moment) then said.banned = 0 end
said.ended = tonumber(moment)
judge(KEYS[3], said, moment, tonumber(ARGV[11]), tonumber(ARGV[12]))

local nodes, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local holder, rest = string.match(all[i + 1], '^(%S+) %S+ %S+(.*)$')
  if string.sub(holder, 1, 1) == '~' then
    -- The grace was for a session that goes on no more.
    redis.call('ZREM', KEYS[6], 'u|' .. all[i] .. '|' .. ARGV[6])
    remove_connection(user, all[i], 'kicked', ledger, moment)
  else
    if rest == '' then redis.call('HSET', KEYS[1], all[i], all[i + 1] .. ' !') end
    nodes[#nodes + 1] = mark(marks, all[i], holder, ARGV[1], ARGV[2])
  end
end
return { #nodes, nodes, said.banned }
