#!lua flags=allow-oom
-- touch: renews the life of up to 500 keys of one partition, never shortening it, and gives one to those that have none;
-- keys that are gone stay gone.
--
-- KEYS    the keys
-- ARGV    a life in ms for each
-- result  how many have it now that had less, or none
-- cost    O(keys)
local renewed = 0
for i, life in ipairs(ARGV) do
  local has = redis.call('PEXPIRE', KEYS[i], life, 'GT')
  if has == 0 then has = redis.call('PEXPIRE', KEYS[i], life, 'NX') end
  renewed = renewed + has
end
return renewed
