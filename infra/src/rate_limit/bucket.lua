-- Takes up to `wanted` hits from a sliding-window bucket, and says how it stands afterwards.
-- KEYS[1]: the bucket, a hash of hits, window_start (milliseconds since 1970) and previous_hits.
-- ARGV: the quota, the window in milliseconds, wanted.
-- Redis's own clock is used: the processes that share the bucket need not agree on the time.
local quota, window, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local bucket = redis.call('HMGET', KEYS[1], 'hits', 'window_start', 'previous_hits')
local hits, start, previous = tonumber(bucket[1]) or 0, tonumber(bucket[2]) or now, tonumber(bucket[3]) or 0
local windows_passed = math.floor((now - start) / window)
if windows_passed == 1 then
    previous, hits, start = hits, 0, start + window
elseif windows_passed ~= 0 then
    -- Idle for longer than the window slides over, or the clock was set back.
    previous, hits, start = 0, 0, now
end

local elapsed = now - start
local room = math.floor(quota - hits - previous * (1 - elapsed / window))
local granted = math.max(0, math.min(wanted, room))
if granted > 0 then
    hits = hits + granted
    redis.call('HSET', KEYS[1], 'hits', hits, 'window_start', start, 'previous_hits', previous)
    redis.call('PEXPIREAT', KEYS[1], start + 2 * window)
end
return { granted, hits, previous, elapsed }
