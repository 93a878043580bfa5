#!lua flags=allow-oom
-- shrink: lets go of the oldest entries of streams that take more memory than they may.
--
-- KEYS    the streams
-- ARGV    bytes for each
-- result  how many entries went
-- cost    O(the streams' blocks, of 4 KiB or one entry, + entries let go)
local gone = 0
for i, most in ipairs(ARGV) do gone = gone + shrink(KEYS[i], tonumber(most)) end
return gone
