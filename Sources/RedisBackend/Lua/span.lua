#!lua flags=no-writes
-- span: looks through part of a sorted set for members that begin so, in the order of `page`.
--
-- KEYS    1 the set
-- ARGV    1 what they begin with, 2 what those begin with that are passed over (empty: none are), 3 how many to look at, 4 score
--         and 5 member after which to go on (left out, both: from the beginning)
-- result  score and member of the last that was looked at, two empty ones at the set's end; then each that was found
-- cost    O(log set + how many to look at)
--
-- Where the member after which to go on has gone, all that have its score are looked at again: whoever asks keeps each once.
local set = KEYS[1]
local beginning, foreign, most, after_score, after = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local limit, from = tonumber(most), 0
if after_score then
  local score = redis.call('ZSCORE', set, after)
  if score and tonumber(score) == tonumber(after_score) then
    from = redis.call('ZRANK', set, after) + 1
  else
    from = redis.call('ZCOUNT', set, '-inf', '(' .. after_score)
  end
end
local found = redis.call('ZRANGE', set, from, from + limit - 1, 'WITHSCORES')
local answer = { '', '' }
if #found == 2 * limit then answer = { found[#found], found[#found - 1] } end
for index = 1, #found, 2 do
  local member = found[index]
  if string.sub(member, 1, #beginning) == beginning
    and (foreign == '' or string.sub(member, 1, #foreign) ~= foreign) then
    answer[#answer + 1] = member
  end
end
return answer
