#!lua flags=allow-oom
-- touch: renews the life of up to 500 keys of one partition; keys that are gone stay gone.
--
-- KEYS    the keys
-- ARGV    a life in ms for each
-- result  how many were there
-- cost    O(keys)
local renewed = 0
for i, life in ipairs(ARGV) do
  renewed = renewed + redis.call('PEXPIRE', KEYS[i], life, 'GT')
end
return renewed
