-- Returns the current token of a viewer and movie, or makes the proposed one current.
-- KEYS[1]: the token's record.
-- ARGV: now in milliseconds; the id of a current token that must not be used, or ''; then the proposed
-- token: id, key id, stream source, issued at and expires at in seconds, refresh after in milliseconds.
local current = redis.call('HMGET', KEYS[1],
    'token_id', 'key_id', 'source_id', 'issued_at', 'expires_at', 'refresh_after', 'audited', 'renews')
if current[1] and current[3] and current[1] ~= ARGV[2] and tonumber(ARGV[1]) < tonumber(current[6]) then
    return current
end
-- One that is not known to be audited may never have been given to anybody.
local renews = current[7] == '1' and current[1] or ''
redis.call('HSET', KEYS[1], 'token_id', ARGV[3], 'key_id', ARGV[4], 'source_id', ARGV[5],
    'issued_at', ARGV[6], 'expires_at', ARGV[7], 'refresh_after', ARGV[8], 'audited', 0, 'renews', renews)
redis.call('EXPIREAT', KEYS[1], ARGV[7])
return { ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], 0, renews }
