#!lua flags=no-writes
-- admit: says whether a fresh token of a user who is there already still counts.
--
-- KEYS    1 verdict
-- ARGV    1 when the token was issued in ms, 0 where it does not say, '' where there is none
-- result  `ok`; `banned`, or `void` for a token from before the user's others were made void
-- cost    O(1)
local verdict_key = KEYS[1]
local issued = ARGV[1]
return refusal(verdict(verdict_key), issued, now()) or { 'ok' }
