-- Shared opening of the scripts that bound in bytes what they append to, behind that of the head.
--
-- What a stream holds is counted in slices, each a sixteenth of its bound: a hash has, behind the stream's prefix, `held`,
-- the bytes appended since the first slice began; `slices`, for each of them `first entry=held before it`; and `due`, at
-- how many bytes held there is something to do. What is too much goes from the front in whole slices, each named by its
-- first entry's id. So nothing can drift: what goes in another way (by count, by age, with the key) was counted, which
-- keeps less than is allowed until its slice's turn has come, and never more.

-- What an entry takes beside its body, about.
local entry_bytes = 64

-- Cuts the list behind an entry that was just appended, of so many bytes, `held` among them. Answers the new list, what
-- it holds, when it is to be cut next, and the id of the first entry that stays (nil: nothing goes; '': nothing stays).
local function cut_slices(slices, id, bytes, held, most)
  local ids, offsets, count, before = {}, {}, 0, held - bytes
  for first, offset in string.gmatch(slices, '([^=,]+)=(%d+)') do
    count = count + 1
    ids[count], offsets[count] = first, tonumber(offset)
  end
  local last = offsets[count]
  if not last or before > last and (before - last >= most / 16 or held - last > most) then
    count = count + 1
    ids[count], offsets[count] = id, before
  end
  local from = 1
  while from <= count and held - offsets[from] > most do from = from + 1 end
  if from > count then return '', 0, 0, '' end
  local base, list = offsets[from], {}
  for i = from, count do list[#list + 1] = ids[i] .. '=' .. (offsets[i] - base) end
  local due = math.min(math.floor(offsets[count] - base + most / 16), most)
  return table.concat(list, ','), held - base, due, from > 1 and ids[from] or nil
end

-- Lets go of what a stream holds beyond `most` bytes, where `held` bytes with this entry are more than what was due.
local function bound(hash, prefix, stream, id, bytes, held, most)
  local slices = redis.call('HGET', hash, prefix .. 'slices') or ''
  local list, left, due, first = cut_slices(slices, id, bytes, held, most)
  redis.call('HSET', hash, prefix .. 'held', left, prefix .. 'due', due, prefix .. 'slices', list)
  if first == '' then
    redis.call('XTRIM', stream, 'MAXLEN', 0)
  elseif first then
    redis.call('XTRIM', stream, 'MINID', first)
  end
end
