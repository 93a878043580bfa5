#!lua flags=allow-oom
-- shrink: lets go of the oldest entries of streams that take more memory than they may.
--
-- KEYS    the streams
-- ARGV    bytes for each
-- result  how many entries went
-- cost    O(the streams' blocks, of 4 KiB or one entry, + entries let go)
local gone = 0
for i, stream in ipairs(KEYS) do gone = gone + shrink(stream, tonumber(ARGV[i])) end
return gone
