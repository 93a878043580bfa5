#!lua flags=allow-oom
-- pardon: lets a user in again, with whatever token. Sessions that were ended stay so.
--
-- KEYS    1 verdict
-- ARGV    1 how long it is remembered that the user was disconnected, in ms
-- result  1, or 0 where the user was let in before
-- cost    O(1)
local verdict_key = KEYS[1]
local remembered = ARGV[1]
local moment, said = now(), verdict(verdict_key)
if not said then return 0 end
local was_held = said.before > 0 or said.banned > tonumber(moment)
said.banned, said.before = 0, 0
judge(verdict_key, said, moment, tonumber(remembered), 0)
return was_held and 1 or 0
