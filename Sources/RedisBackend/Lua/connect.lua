#!lua flags=allow-oom
-- connect: registers a connection of a user with its node, and tells that the user is online if that is new. A full Redis
-- takes it: there are as many as the nodes have places, and nobody is kept out by what others have stored.
--
-- KEYS    1 the user's connections, 2 online, 3 session, 4 holders, 5 the node's set, 6 linger, 7 fence, 8 events,
--         9 marks, 10 state, 11 the inbox's head, 12 verdict
-- ARGV    1 node, 2 incarnation, 3 connection, 4 user, 5 address, 6 the session's secret, 7 since in ms (0: now),
--         8 cause, 9 life of the keys in ms, 10 life of the session in ms, 11 ledger size, 12 PUBLISH or SPUBLISH,
--         13 the user's status channel, 14 `new`, or `again` for one that was registered before,
--         15 connections a user may have (0: any number), 16 `closeOldest` or `refuseNewest`,
--         17 what the nodes' channels begin with, 18 life of `holders` and the node's set, which outlive what they
--         name, in ms, 19 run_id, 20 whether the node has to be put among the holders (0, 1),
--         21 when the token was issued in ms, 0 where it does not say, '' where there is none
-- result  `ok`, since, now, whether the session is new (0, 1; always 1 unless `again`), the nodes of connections that
--         were marked to be closed, epoch and seq of the inbox (as `standing` tells them); `fenced`, the incarnation
--         below which the node is dead here; `banned` and `void` (the token) where the user is not let in; `full`
--         where the user has too many; where it is registered again, `ended` after a disconnection of the user, and
--         `replaced` where its session names another connection by now
-- cost    O(1); with a limit that is reached O(the user's connections)
local fence = fenced()
if fence then return { 'fenced', fence } end
local moment, said = now(), verdict(verdict_key)
local refused = refusal(said, issued, moment)
if refused then return refused end
local named, nodes = nil, {}
if mode == 'again' then
  if said and tonumber(began) <= said.ended then return { 'ended' } end
  named = redis.call('HGET', session, 'c')
  if named and named ~= connection then return { 'replaced' } end
else
  nodes = admit('')
  if not nodes then return { 'full' } end
end
local since = register(moment, said)
return { 'ok', since, moment, named and 0 or 1, nodes, standing(state, inbox_head, run) }
