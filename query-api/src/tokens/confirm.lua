-- Notes that a token's audit record is acknowledged, if the token is still the current one.
-- KEYS[1]: the token's record. ARGV: its id.
if redis.call('HGET', KEYS[1], 'token_id') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'audited', 1)
end
