#!lua flags=allow-oom
-- archive_share: says that a worker of the archive is at work, or that it goes.
--
-- KEYS    1 workers (zset: worker -> when it last said so)
-- ARGV    1 worker, 2 for how long it is believed in ms; 0: it goes
-- result  how many workers there are, and which of them this is, from 0
-- cost    O(workers)
local workers, worker, life = KEYS[1], ARGV[1], tonumber(ARGV[2])
if life == 0 then
  redis.call('ZREM', workers, worker)
else
  local time = now()
  redis.call('ZREMRANGEBYSCORE', workers, '-inf', string.format('(%.0f', time - life))
  redis.call('ZADD', workers, time, worker)
  redis.call('PEXPIRE', workers, 60000)
end
return { redis.call('ZCARD', workers), redis.call('ZRANK', workers, worker) or 0 }
