-- Shared opening of the scripts that let a user in or not, behind the clock.

-- What a backend has said of a user: banned until and tokens void before, in ms, and the number of the last disconnection
-- (see `close`); nil where nothing holds.
local function verdict(key)
  local text = redis.call('GET', key)
  if not text then return nil end
  local banned, before, ended = string.match(text, '^(%d+) (%d+) (%d+)$')
  return { banned = tonumber(banned), before = tonumber(before), ended = tonumber(ended) }
end

-- The number of the user's last disconnection, 0 where none is remembered: what begins now comes after it.
local function last_ended(said)
  return said and said.ended or 0
end

-- The answer to a user who is not let in; nil for all others. `issued` is when the token was issued in ms, 0 where it
-- does not say, '' where there is none.
local function refusal(said, issued, moment)
  if said and tonumber(moment) < said.banned then return { 'banned' } end
  if said and issued ~= '' and tonumber(issued) < said.before then return { 'void' } end
end

-- Writes it, to live as long as a part of it holds. A number is a moment too, or beyond one.
local function judge(key, said, moment, life, tokens_life)
  local ends = math.max(said.ended + life, said.banned)
  if said.before > 0 then ends = math.max(ends, math.max(said.before, tonumber(moment)) + tokens_life) end
  local text = string.format('%.0f %.0f %.0f', said.banned, said.before, said.ended)
  redis.call('SET', key, text, 'PXAT', string.format('%.0f', ends))
end
