-- Takes hits from sliding-window buckets, up to so many from each as is wanted, and says how each stands afterwards.
--
-- KEYS: the buckets, each a hash. A field named by a number is a slot: it begins then (milliseconds since
-- 1970) and holds the hits that were charged within it. `hits` is the sum of those that still count,
-- `window_start` where the oldest of them begins. `limit` and `window_ms` are for whoever only looks,
-- `near_at` and `exceeded_at` say when a threshold was last crossed.
-- ARGV, eight for each bucket: quota; window and slot in milliseconds; wanted; the part of the room that one
-- lot may take (a divisor); owed: hits that were admitted without asking; returned: hits of an earlier lot that
-- were not spent, and the slot that they were charged to.
--
-- Redis's own clock is used: the processes that share the buckets need not agree on the time.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function take(key, quota, window, slot, wanted, lots, owed, returned, returned_to)
    local current = now - now % slot

    -- Until the last hit that may be in a slot is older than the window, all of the slot counts: never is
    -- more admitted than the quota, however the hits lie.
    local hits, counts, starts, crossed_at, over, set = 0, {}, {}, {}, {}, {}
    local fields = redis.call('HGETALL', key)
    for i = 1, #fields, 2 do
        local name, value = fields[i], tonumber(fields[i + 1])
        local start = tonumber(name)
        if not start then
            crossed_at[name] = value
        elseif start > now or start + slot + window <= now then
            -- Over; or the clock was set back.
            over[#over + 1] = name
        else
            if name == returned_to and returned > 0 then
                value = math.max(0, value - returned)
                set[#set + 1] = name
                set[#set + 1] = value
            end
            hits = hits + value
            counts[start] = value
            starts[#starts + 1] = start
        end
    end
    table.sort(starts)

    local room = quota - hits - owed
    local granted, is_new_slot = 0, false
    if room > 0 then
        -- The nearer the end, the smaller the lot.
        granted = math.min(wanted, math.max(1, math.floor(room / lots)))
    end
    if granted + owed > 0 then
        hits = hits + granted + owed
        is_new_slot = not counts[current]
        if is_new_slot then
            starts[#starts + 1] = current
        end
        counts[current] = (counts[current] or 0) + granted + owed
        set[#set + 1] = current
        set[#set + 1] = counts[current]
    end

    -- Once for all processes, and once in a window.
    local near, exceeded = 0, 0
    if 5 * hits >= 4 * quota and (crossed_at.near_at or 0) + window <= now then
        near = 1
        set[#set + 1] = 'near_at'
        set[#set + 1] = now
    end
    if granted == 0 and (crossed_at.exceeded_at or 0) + window <= now then
        exceeded = 1
        set[#set + 1] = 'exceeded_at'
        set[#set + 1] = now
    end

    local oldest = starts[1] or current
    if #over > 0 then
        redis.call('HDEL', key, unpack(over))
    end
    redis.call('HSET', key, 'hits', hits, 'window_start', oldest, 'limit', quota, 'window_ms', window, unpack(set))
    if is_new_slot then
        redis.call('PEXPIREAT', key, current + slot + window)
    end

    -- When there is room for one again.
    local retry, left = 0, hits
    if granted == 0 then
        for _, start in ipairs(starts) do
            left = left - counts[start]
            retry = start + slot + window - now
            if left < quota then
                break
            end
        end
    end
    return { granted, math.max(0, quota - hits), current, oldest + slot + window - now, retry, near, exceeded }
end

local answers = {}
for i, key in ipairs(KEYS) do
    local at = 8 * i - 7
    answers[i] = take(key, tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]),
        tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]), ARGV[at + 7])
end
return answers
