#!lua flags=allow-oom
-- pardon: lets a user in again, with whatever token. Sessions that were ended stay so.
--
-- KEYS    1 verdict
-- ARGV    1 how long it is remembered that the user was disconnected, in ms
-- result  1, or 0 where the user was let in before
-- cost    O(1)
local moment, said = now(), verdict(KEYS[1])
if not said then return 0 end
local was_held = said.before > 0 or said.banned > tonumber(moment)
said.banned, said.before = 0, 0
judge(KEYS[1], said, moment, tonumber(ARGV[1]), 0)
return was_held and 1 or 0
