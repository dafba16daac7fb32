-- Notes of tokens that their audit records are durable, of each that is still the current one.
-- KEYS: the tokens' records. ARGV: their ids, in the same order.
for index, key in ipairs(KEYS) do
    if redis.call('HGET', key, 'token_id') == ARGV[index] then
        redis.call('HSET', key, 'audited', 1)
    end
end
