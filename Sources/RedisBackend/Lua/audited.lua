#!lua flags=no-writes
-- audited: calls of backends, the latest first.
--
-- KEYS    1 ledger of calls
-- ARGV    1 the entry before which to begin, '' at the latest, 2 how many
-- result  of each its id, the key's name, method and route, whom it is about, and the status
-- cost    O(how many)
local calls = KEYS[1]
local before, count = ARGV[1], ARGV[2]
local answer = {}
for _, entry in ipairs(redis.call('XREVRANGE', calls, before == '' and '+' or '(' .. before, '-', 'COUNT', count)) do
  local n, fields = #answer, entry[2]
  answer[n + 1], answer[n + 2], answer[n + 3] = entry[1], fields[2], fields[4]
  answer[n + 4], answer[n + 5] = fields[6], fields[8]
end
return answer
